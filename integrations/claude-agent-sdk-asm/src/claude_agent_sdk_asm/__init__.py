"""Sessions of the Claude Agent SDK in the agent session manager."""

from claude_agent_sdk_asm.store import AsmSessionStore

__all__ = ["AsmSessionStore"]
