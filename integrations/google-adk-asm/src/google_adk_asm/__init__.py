"""Sessions of Google's Agent Development Kit in the agent session manager."""

from google_adk_asm.migrating import copy_sessions
from google_adk_asm.registering import open_session_service, register
from google_adk_asm.service import AsmSessionService

__all__ = ["AsmSessionService", "copy_sessions", "open_session_service", "register"]
