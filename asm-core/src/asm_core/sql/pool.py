"""A connection pool for any database."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from asm_core.concurrency.contexts import contextmanager, take
from asm_core.concurrency.places import FairPlaces, Place
from asm_core.sql.failures import exhausted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Closable(Protocol):
    """A connection of a pool."""

    def close(self) -> None:
        """Close the connection; if it is closed or lost, this is a no-op."""


T = TypeVar("T", bound=Closable)


class Pool(Generic[T]):
    """Lends a limited number of connections; further callers wait, fairly. Opens a connection if none is idle.

    An exception at any instant, also of a signal handler, never leaks a place.
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
            size: the largest number of open connections.
            timeout: seconds that a caller waits for a connection.
            is_usable: returns whether a connection can be reused. Called when a connection is returned, also after an
                exception, and before it is lent. It should not contact the server.
        """
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self._is_usable = is_usable
        self._closed = False
        self.forget()

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Lend the connection that was returned last, or a new one.

        If a returned connection cannot be reused, it is closed together with all idle ones: a server that stopped has
        closed all of them.

        Raises:
            StorageConnectionError: all connections are in use, and none was returned within the timeout.
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
        """Close the idle connections, and those in use when they are returned."""
        self._closed = True
        self.dispose()

    def forget(self) -> None:
        """Forget all connections without closing them: in a forked child they belong to the parent."""
        self._idle: deque[T] = deque()
        self._places = FairPlaces(self._size)

    def _take(self, lent: list[T], idle: deque[T]) -> None:
        while idle:
            try:
                take(lent, idle.pop)
            except IndexError:  # another thread took it
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
