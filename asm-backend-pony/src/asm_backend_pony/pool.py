"""A pool: Pony has none but a connection for each thread, and none that tells when all are in use."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from asm_core.sql.failures import exhausted

if TYPE_CHECKING:
    from collections.abc import Callable


class Pool:
    """Gives out at most so many connections at once; further calls wait. Asks the server nothing for that."""

    def __init__(self, connect: Callable[[], Any], *, size: int, timeout: float) -> None:
        """Open connections with `connect` when they are needed; `timeout` in seconds."""
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self.forget()

    def take(self) -> Any:
        """Take the connection that was used last, or a new one."""
        places = self._places
        if not places.acquire(timeout=self._timeout):
            raise exhausted()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except BaseException:
            places.release()
            raise

    def give_back(self, connection: Any, *, usable: bool) -> None:
        """Keep a connection for its next use; close it, and all that wait, if it is no longer usable."""
        if usable and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()
            self.dispose()
        self._places.release()

    def dispose(self) -> None:
        """Close the connections that wait for their next use."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            connection.close()

    def close(self) -> None:
        """Close those that wait, and the others as soon as they are given back."""
        self._closed = True
        self.dispose()

    def forget(self) -> None:
        """Begin anew, without closing what is open: in a forked child it is the parent's."""
        self._closed = False
        self._idle: deque[Any] = deque()
        self._places = threading.BoundedSemaphore(self._size)
