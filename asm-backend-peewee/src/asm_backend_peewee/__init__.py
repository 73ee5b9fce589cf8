"""The agent session manager on Peewee.

The models, `PeeweeBackend.models`, are public, for the application's own queries; what is to be kept is written through
the ports.
"""

from asm_backend_peewee.backend import PeeweeBackend
from asm_backend_peewee.models import Models, define

__all__ = ["Models", "PeeweeBackend", "define"]
