"""The agent session manager on SQLModel and SQLAlchemy.

The row models are public, for the application's own queries; what is to be kept is written through the ports.
"""

from asm_backend_sqlmodel.backend import SQLModelBackend
from asm_backend_sqlmodel.models import ArtifactRow, EventRow, RunRow, SequenceRow, SessionRow

__all__ = ["ArtifactRow", "EventRow", "RunRow", "SQLModelBackend", "SequenceRow", "SessionRow"]
