"""The agent session manager on Pony.

`define` puts the entities on a Pony database of the application's own, for its own queries; what is to be kept is
written through the ports.
"""

from asm_backend_pony.backend import PonyBackend
from asm_backend_pony.models import Models, define

__all__ = ["Models", "PonyBackend", "define"]
