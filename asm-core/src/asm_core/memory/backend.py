"""The in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from asm_core.concurrency.contexts import contextmanager
from asm_core.memory.artifact_registry import MemoryArtifactRegistry
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore
from asm_core.memory.state import State
from asm_core.ports import Backend, Capability, Maintenance, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryBackend(Backend):
    """Stores all data in this process, until it ends. Complete, and safe to share between threads."""

    name = "memory"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TRANSACTIONS})

    def __init__(self, state: State | None = None) -> None:
        """Open a new store, or another handle on an existing one."""
        self._state = state or State()
        self.session_store = MemorySessionStore(self._state)
        self.query_api = MemoryQueryAPI(self._state)
        self.maintenance = Maintenance(MemoryRetentionStore(self._state))
        self.artifact_registry = MemoryArtifactRegistry(self._state)

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        """Make all calls inside one transaction; other threads wait until it ends."""
        with self._state.transaction():
            yield self

    def close(self) -> None:
        """Do nothing: the data are freed with their last reference."""
