"""The agent session manager on SQLModel and SQLAlchemy.

The row models are public, for the application's own queries. Write through the ports.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asm_backend_sqlmodel.backend import SQLModelBackend
    from asm_backend_sqlmodel.models import ArtifactRow, EventRow, Models, RunRow, SequenceRow, SessionRow, define

__all__ = [
    "ArtifactRow",
    "EventRow",
    "Models",
    "RunRow",
    "SQLModelBackend",
    "SequenceRow",
    "SessionRow",
    "define",
]


def __getattr__(name: str) -> Any:
    # Imported at first use: the plugin is in this package, and listing it must import no ORM.
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from asm_backend_sqlmodel import backend, models  # noqa: PLC0415

    return getattr(backend, name, None) or getattr(models, name)
