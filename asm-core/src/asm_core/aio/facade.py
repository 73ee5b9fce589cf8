"""Classes for asyncio, derived from the synchronous ports: no method is written twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import wraps
from inspect import isfunction
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from asm_core.models import StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from asm_core.event_log.waiting_reads import Following
    from asm_core.models import Event
    from asm_core.ports import SessionStore

T = TypeVar("T")


class Runs(Protocol):
    """Runs calls of a port."""

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a function, and return its result."""


class StoreCalls(Runs, Protocol):
    """Runs calls of a session store."""

    async def append(self, store: SessionStore, events: Iterable[Event]) -> list[StoredEvent]:
        """Append events to a session store."""


class Port:
    """A port whose methods are awaited.

    Attributes:
        sync: the synchronous port.
        calls: what runs its methods.
    """

    __slots__ = ("calls", "sync")

    def __init__(self, port: Any, calls: Runs) -> None:
        """Run the methods of `port` with `calls`."""
        self.sync = port
        self.calls = calls


class Events(AsyncIterator[StoredEvent]):
    """The iterator of `follow_events`. A cancelled ``anext()`` loses no event."""

    def __init__(self, following: Following, calls: Runs) -> None:
        """Fill `following` with `calls`."""
        self._following = following
        self._calls = calls
        self._reading = False

    def __aiter__(self) -> Self:
        """Return the iterator."""
        return self

    async def __anext__(self) -> StoredEvent:
        """Return the next event; wait for it."""
        ready = self._following.ready
        if not ready:
            if self._reading:
                message = "another task waits for the next event of this iterator. Give each task its own."
                raise RuntimeError(message)
            self._reading = True
            try:
                await self._calls.run(self._following.fill)
            finally:
                self._reading = False
            if not ready:
                raise StopAsyncIteration
        return ready.popleft()

    async def aclose(self) -> None:
        """End the iteration. An iterator that is not closed holds nothing either."""
        self._following.close()


def asynchronous(port: type, *names: str, without: Collection[str] = ()) -> Any:
    """Return a class with the public methods of a port, or with these: a coroutine by the same name and signature."""
    public = [name for name, value in vars(port).items() if isfunction(value) and not name.startswith("_")]
    chosen = names or [name for name in public if name not in without]
    methods = {name: _awaited(name, getattr(port, name)) for name in chosen}
    return type(port.__name__, (Port,), {"__doc__": port.__doc__, "__slots__": (), **methods})


def _awaited(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if function.__annotations__["return"].startswith("Iterator["):

        @wraps(function)
        def follow(self: Port, *args: Any, **kwargs: Any) -> Events:
            return Events(getattr(self.sync, name)(*args, **kwargs), self.calls)

        return follow

    @wraps(function)
    async def method(self: Port, *args: Any, **kwargs: Any) -> Any:
        return await self.calls.run(getattr(self.sync, name), *args, **kwargs)

    return method
