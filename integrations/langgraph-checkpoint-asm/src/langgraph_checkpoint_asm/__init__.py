"""LangGraph's checkpoints and items in the agent session manager.

`AsmSaver` is a checkpointer for ``graph.compile(checkpointer=...)``, and `AsmStore` a store for ``store=...``. Both are
synchronous and asynchronous, on any backend.
"""

from langgraph_checkpoint_asm.migrating import copy_items, copy_sqlite_checkpoints
from langgraph_checkpoint_asm.saver import AsmSaver
from langgraph_checkpoint_asm.store import AsmStore

__all__ = ["AsmSaver", "AsmStore", "copy_items", "copy_sqlite_checkpoints"]
