"""A pool of connections, whatever they connect to."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from asm_core.concurrency.contexts import contextmanager, take
from asm_core.concurrency.places import Place, Places
from asm_core.sql.failures import exhausted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Closable(Protocol):
    """What a pool holds."""

    def close(self) -> None:
        """Close the connection; one that is closed or lost stays so."""


T = TypeVar("T", bound=Closable)


class Pool(Generic[T]):
    """Lends at most so many connections at once; further callers wait. Opens one when none is idle.

    An exception at any instant, also one that a signal handler raises, leaves no place taken.
    """

    def __init__(
        self,
        connect: Callable[[], T],
        *,
        size: int,
        timeout: float,
        is_usable: Callable[[T], bool] = lambda _: True,
    ) -> None:
        """Begin without a connection.

        Args:
            connect: opens a connection.
            size: how many connections are open at the most.
            timeout: how many seconds a caller waits for one.
            is_usable: returns whether a connection may be used again. The pool asks when a connection comes back, also
                after an exception, and before it lends one; this should not ask the server.
        """
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self._is_usable = is_usable
        self._closed = False
        self.forget()

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Lend the connection that came back last, or a new one.

        One that comes back and cannot be used again is closed, and so are the idle ones: a server that went away took
        all of them.

        Raises:
            StorageConnectionError: all connections are in use, and none came back within the timeout.
        """
        places, idle = self._places, self._idle
        place: list[Place] = []
        lent: list[T] = []
        try:
            if not places.take(place, self._timeout):
                raise exhausted()
            is_usable = False
            try:
                self._take(lent, idle)
                yield lent[0]
            finally:
                try:
                    is_usable = not self._closed and bool(lent) and self._is_usable(lent[0])
                finally:
                    if lent:
                        (idle.append if is_usable else _close)(lent[0])
                    if not is_usable:
                        _empty(idle)
        finally:
            if place:
                places.give_back(place.pop())
                places.ring()

    def dispose(self) -> None:
        """Close the idle connections."""
        _empty(self._idle)

    def close(self) -> None:
        """Close the idle connections, and those in use as soon as they come back."""
        self._closed = True
        self.dispose()

    def forget(self) -> None:
        """Start again, and leave all connections open: in a forked child they are the parent's."""
        self._idle: deque[T] = deque()
        self._places = Places(self._size)

    def _take(self, lent: list[T], idle: deque[T]) -> None:
        while idle:
            with suppress(IndexError):  # another thread took it
                take(lent, idle.pop)
            if not lent:
                break
            if self._is_usable(lent[0]):
                return
            _close(lent.pop())
        take(lent, self._connect)


def _close(connection: Closable) -> None:
    connection.close()


def _empty(idle: deque[T]) -> None:
    while idle:
        with suppress(IndexError):  # another thread took it
            _close(idle.pop())
