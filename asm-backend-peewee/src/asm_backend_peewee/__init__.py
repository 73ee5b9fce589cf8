"""The agent session manager on Peewee.

The models, `PeeweeBackend.models`, are public, for the application's own queries. Write through the ports.
"""

from typing import TYPE_CHECKING

from asm_core.plugins import lazy_names

if TYPE_CHECKING:
    from asm_backend_peewee.backend import PeeweeBackend
    from asm_backend_peewee.models import Models, define

__all__ = ["Models", "PeeweeBackend", "define"]

__getattr__ = lazy_names(__name__, __all__, modules=("backend", "models"), needs="peewee")
