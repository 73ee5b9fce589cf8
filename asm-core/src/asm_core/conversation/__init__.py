"""The log of a session as the messages of a conversation."""

from asm_core.conversation.messages import Message
from asm_core.conversation.references import resolve_references
from asm_core.conversation.transcript import Transcript, read_messages

__all__ = ["Message", "Transcript", "read_messages", "resolve_references"]
