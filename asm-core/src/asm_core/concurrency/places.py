"""Places that callers take for a while, which no interruption can lose."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final
from weakref import ref

_AT_ONCE: Final = (False,)
_LONGEST_WAIT: Final = 0.02
"""Seconds after which a caller looks again: a place that an interruption lost comes back without a ring."""


class Place:
    """One of several places; it belongs to what refers to it, and is free again once nothing does."""

    __slots__ = ("__weakref__", "_queue")

    def __init__(self, queue: SimpleQueue[Place]) -> None:
        """Make a place that `queue` hands out."""
        self._queue = ref(queue)

    def __del__(self) -> None:
        """Put another place where this one was lost, as by an interruption before `Places.put`."""
        queue = self._queue()
        if queue is not None:
            queue.put(Place(queue))


class Places:
    """So many places; a caller that finds none free waits for one.

    Taking and giving back a place is one step: an exception of a signal handler comes before or after. Should the
    caller be interrupted in between, the place is free as soon as the caller's list is gone.
    """

    __slots__ = ("_bell", "_get", "_queue", "give_back")

    def __init__(self, size: int) -> None:
        """Begin with all places free."""
        self._queue: SimpleQueue[Place] = SimpleQueue()
        self._get = self._queue.get
        self.give_back = self._queue.put
        """Free a place. Written in C, and thus one step."""
        self._bell = threading.Lock()
        for _ in range(size):
            self._queue.put(Place(self._queue))

    def take(self, taken: list[Place], timeout: float) -> bool:
        """Append a place to `taken`; return False if none became free within so many seconds."""
        deadline: float | None = None
        while True:
            with suppress(Empty):
                # One step, as in `asm_core.concurrency.contexts.take`. The queue is never waited for: up to Python 3.12
                # its `get` waits without end once another thread has taken what came just before the deadline.
                taken.extend(map(self._get, _AT_ONCE))
                if not self._queue.empty():
                    self.ring()
                return True
            now = time.monotonic()
            deadline = now + timeout if deadline is None else deadline
            if now >= deadline:
                return False
            self._bell.acquire(timeout=min(deadline - now, _LONGEST_WAIT))

    def are_taken(self) -> bool:
        """Return whether no place is free at this moment."""
        return self._queue.empty()

    def ring(self) -> None:
        """Wake a caller that waits, if there is one; after `give_back`. Without it, the caller looks again soon."""
        if self._bell.locked():
            with suppress(RuntimeError):  # another thread was faster
                self._bell.release()
