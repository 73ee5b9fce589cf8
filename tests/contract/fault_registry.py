"""What a faulty adapter says of itself: which tests of the suite are meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from file_backend import FileBackend, FileSessionStore

from asm_core import ArtifactRegistry, Backend, Maintenance, QueryAPI, SessionStore, StateStore
from asm_core.memory import MemoryBackend, State
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.reader import MemoryReader
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore
from asm_core.retention import RetentionStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

F = TypeVar("F", bound=type)

FAULTS: Final[list[tuple[str, str]]] = []
"""The name of a faulty adapter, and a test that must catch it."""
_ADAPTERS: Final[dict[str, type]] = {}
_PORTS: Final = {
    SessionStore: "session_store",
    QueryAPI: "query_api",
    ArtifactRegistry: "artifact_registry",
    StateStore: "state_store",
}


def caught_by(*tests: str) -> Callable[[F], F]:
    """Register a faulty adapter."""

    def register(adapter: F) -> F:
        _ADAPTERS[adapter.__name__] = adapter
        FAULTS.extend((adapter.__name__, test) for test in tests)
        return adapter

    return register


def faulty_backend(name: str, path: Path) -> Callable[[], Backend]:
    """Return what opens handles on one store through the faulty adapter of this name."""
    return _opener(_ADAPTERS[name], path)


def sound_backend(name: str, path: Path) -> Callable[[], Backend]:
    """Return what opens handles on a store of the kind that a faulty adapter has, without the fault."""
    adapter = _ADAPTERS[name]
    if issubclass(adapter, Backend):
        return _opener(next(base for base in adapter.__mro__ if not base.__module__.startswith("faulty_")), path)
    return _opener(FileBackend if issubclass(adapter, FileSessionStore) else MemoryBackend, path)


def _put(backend: MemoryBackend, adapter: type) -> None:
    """Give a backend a faulty port, or ports on a faulty reader."""
    if issubclass(adapter, RetentionStore):
        backend.maintenance = Maintenance(adapter(backend._state))
    elif issubclass(adapter, Maintenance):
        backend.maintenance = adapter(MemoryRetentionStore(backend._state))
    elif issubclass(adapter, MemoryReader):
        reader = adapter(backend._state)
        backend.session_store = MemorySessionStore(backend._state, reader)
        backend.query_api = MemoryQueryAPI(backend._state, reader)
    else:
        port = next(place for kind, place in _PORTS.items() if issubclass(adapter, kind))
        setattr(backend, port, adapter(backend._state))


def _opener(adapter: type, path: Path) -> Callable[[], Backend]:
    state = State()

    def open_backend() -> Backend:
        if issubclass(adapter, FileBackend):
            return adapter(path)
        if issubclass(adapter, MemoryBackend):
            return adapter(state)
        backend = FileBackend(path) if issubclass(adapter, FileSessionStore) else MemoryBackend(state)
        _put(backend, adapter)
        return backend

    return open_backend
