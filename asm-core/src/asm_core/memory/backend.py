"""The in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from asm_core.memory.artifact_registry import MemoryArtifactRegistry
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore
from asm_core.memory.state import State
from asm_core.ports import Backend, Capability, Maintenance

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class MemoryBackend(Backend):
    """Keeps everything in this process, and only as long as it lives. Complete, and safe to share between threads."""

    name = "memory"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TRANSACTIONS})

    def __init__(self, state: State | None = None) -> None:
        """Open a store of its own, or another handle on one that exists."""
        self._state = state or State()
        self.session_store = MemorySessionStore(self._state)
        self.query_api = MemoryQueryAPI(self._state)
        self.maintenance = Maintenance(MemoryRetentionStore(self._state))
        self.artifact_registry = MemoryArtifactRegistry(self._state)

    def transaction(self) -> AbstractContextManager[None]:
        """Make one atomic unit of what the ports do inside; other threads wait until it ends."""
        return self._state.transaction()

    def close(self) -> None:
        """Do nothing: what is kept goes when nothing refers to it any more."""
