"""The agent session manager on Pony.

`define` adds the entities to the application's Pony database, for its own queries. Write through the ports.
"""

from typing import TYPE_CHECKING

from asm_core.plugins import lazy_names

if TYPE_CHECKING:
    from asm_backend_pony.backend import PonyBackend
    from asm_backend_pony.models import Models, define

__all__ = ["Models", "PonyBackend", "define"]

__getattr__ = lazy_names(__name__, __all__, modules=("backend", "models"), needs="pony")
