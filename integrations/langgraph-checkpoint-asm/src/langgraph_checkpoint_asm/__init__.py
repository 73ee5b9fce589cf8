"""LangGraph checkpoints in the agent session manager.

`AsmSaver` is a checkpointer for ``graph.compile(checkpointer=...)``, synchronous and asynchronous, on any backend.
"""

from langgraph_checkpoint_asm.migrating import copy_sqlite_checkpoints
from langgraph_checkpoint_asm.saver import AsmSaver

__all__ = ["AsmSaver", "copy_sqlite_checkpoints"]
