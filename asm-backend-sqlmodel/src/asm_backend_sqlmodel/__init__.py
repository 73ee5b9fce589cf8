"""The agent session manager on SQLModel and SQLAlchemy.

The row models are public, for the application's own queries. Write through the ports.
"""

from typing import TYPE_CHECKING

from asm_core.plugins import lazy_names

if TYPE_CHECKING:
    from asm_backend_sqlmodel.backend import SQLModelBackend
    from asm_backend_sqlmodel.models import (
        ArtifactRow,
        EventRow,
        Models,
        RunRow,
        SequenceRow,
        SessionRow,
        StateRow,
        define,
    )

__all__ = [
    "ArtifactRow",
    "EventRow",
    "Models",
    "RunRow",
    "SQLModelBackend",
    "SequenceRow",
    "SessionRow",
    "StateRow",
    "define",
]

__getattr__ = lazy_names(__name__, __all__, modules=("backend", "models"), needs="sqlmodel")
