"""Conversations of Pydantic AI in the agent session manager.

`AsmConversationStore` is a `ConversationStore` on any backend. `copy_conversations` copies those of another store.
"""

from pydantic_ai_asm.copying import copy_conversations
from pydantic_ai_asm.store import AsmConversationStore

__all__ = ["AsmConversationStore", "copy_conversations"]
