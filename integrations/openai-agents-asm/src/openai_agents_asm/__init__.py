"""Sessions of the OpenAI Agents SDK in the agent session manager."""

from openai_agents_asm.migrating import copy_sqlite_sessions
from openai_agents_asm.session import AsmSession

__all__ = ["AsmSession", "copy_sqlite_sessions"]
