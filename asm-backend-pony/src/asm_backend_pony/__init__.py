"""The agent session manager on Pony.

`define` adds the entities to the application's Pony database, for its own queries. Write through the ports.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asm_backend_pony.backend import PonyBackend
    from asm_backend_pony.models import Models, define

__all__ = ["Models", "PonyBackend", "define"]


def __getattr__(name: str) -> Any:
    # Imported at first use: the plugin is in this package, and listing it must import no ORM.
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from asm_backend_pony import backend, models  # noqa: PLC0415

    return getattr(backend, name, None) or getattr(models, name)
