"""The in-memory backend: the reference for all other backends, and a store for tests."""

from asm_core.memory.backend import MemoryBackend
from asm_core.memory.state import State

__all__ = ["MemoryBackend", "State"]
