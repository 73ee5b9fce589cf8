"""What a faulty adapter says of itself: which tests of the suite are meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from asm_core import ArtifactRegistry, Backend, Maintenance, QueryAPI, SessionStore
from asm_core.memory import MemoryBackend, State

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound=type)

FAULTS: Final[list[tuple[str, str]]] = []
"""The name of a faulty adapter, and a test that must catch it."""
_ADAPTERS: Final[dict[str, type]] = {}
_PORTS: Final = {
    SessionStore: "session_store",
    QueryAPI: "query_api",
    Maintenance: "maintenance",
    ArtifactRegistry: "artifact_registry",
}


def caught_by(*tests: str) -> Callable[[F], F]:
    """Register a faulty adapter."""

    def register(adapter: F) -> F:
        _ADAPTERS[adapter.__name__] = adapter
        FAULTS.extend((adapter.__name__, test) for test in tests)
        return adapter

    return register


def faulty_backend(name: str) -> Callable[[], Backend]:
    """Return what opens handles on one in-memory store through the faulty adapter of this name."""
    adapter, state = _ADAPTERS[name], State()

    def open_backend() -> Backend:
        if issubclass(adapter, Backend):
            return adapter(state)
        backend = MemoryBackend(state)
        port = next(place for kind, place in _PORTS.items() if issubclass(adapter, kind))
        setattr(backend, port, adapter(state))
        return backend

    return open_backend
