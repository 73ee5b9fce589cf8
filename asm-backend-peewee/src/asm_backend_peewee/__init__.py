"""The agent session manager on Peewee.

The models, `PeeweeBackend.models`, are public, for the application's own queries. Write through the ports.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asm_backend_peewee.backend import PeeweeBackend
    from asm_backend_peewee.models import Models, define

__all__ = ["Models", "PeeweeBackend", "define"]


def __getattr__(name: str) -> Any:
    # Imported at first use: the plugin is in this package, and listing it must import no ORM.
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from asm_backend_peewee import backend, models  # noqa: PLC0415

    return getattr(backend, name, None) or getattr(models, name)
