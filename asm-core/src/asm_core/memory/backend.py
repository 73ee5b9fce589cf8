"""The in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.concurrency.contexts import contextmanager
from asm_core.memory.artifact_registry import MemoryArtifactRegistry
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore
from asm_core.memory.state import State
from asm_core.memory.state_store import MemoryStateStore
from asm_core.ports import Backend, Capability, Maintenance, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.ports import SessionStore


class MemoryBackend(Backend):
    """Stores all data in this process, until it ends. Complete, and safe to share between threads."""

    name = "memory"
    capabilities = frozenset({Capability.TRANSACTIONS, Capability.BIND, Capability.GLOBAL_EVENT_IDS})

    def __init__(self, state: State | None = None) -> None:
        """Open a new store, or another handle on an existing one."""
        self._state = state or State()
        self.session_store = MemorySessionStore(self._state)
        self.query_api = MemoryQueryAPI(self._state)
        self.maintenance = Maintenance(MemoryRetentionStore(self._state))
        self.artifact_registry = MemoryArtifactRegistry(self._state)
        self.state_store = MemoryStateStore(self._state)

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        """Yield the ports of one transaction; other transactions wait until it ends."""
        with self._state.begin() as state:
            yield self._bound(state)

    @contextmanager
    def bind(self, connection: Any) -> Iterator[Ports]:
        """Yield the ports of a transaction, which commits when the context ends well.

        So an application's tests need no database: `connection` may be anything. Ports that `transaction` yielded are
        joined: what is written commits with them. Other transactions wait from the first call to the end.
        """
        joins = connection.state.begin if isinstance(connection, _MemoryPorts) else self._state.begin_alone
        with joins() as bound:
            yield self._bound(bound)

    def close(self) -> None:
        """Do nothing: the data are freed with their last reference."""

    def _bound(self, state: State) -> Ports:
        return _MemoryPorts(state, self.session_store)


class _MemoryPorts(Ports):
    """The ports on the state of a transaction."""

    def __init__(self, state: State, watching: SessionStore) -> None:
        self.state = state
        self._watching = watching
        self.session_store = MemorySessionStore(state, watching=watching)
        self.query_api = MemoryQueryAPI(state)
        self.maintenance = Maintenance(MemoryRetentionStore(state))
        self.artifact_registry = MemoryArtifactRegistry(state)
        self.state_store = MemoryStateStore(state)

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        with self.state.begin() as state:
            yield _MemoryPorts(state, self._watching)
