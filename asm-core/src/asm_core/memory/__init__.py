"""The in-memory backend: the reference that every other one is held to, and a store for tests."""

from asm_core.memory.backend import MemoryBackend
from asm_core.memory.state import State

__all__ = ["MemoryBackend", "State"]
