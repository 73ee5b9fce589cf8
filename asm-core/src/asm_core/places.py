"""Places that callers take for a while, which no interruption can lose."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Final
from weakref import ref

_BLOCKING: Final = (True,)


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

    `take` and `give_back` are one step each: an exception of a signal handler comes before or after. Should the caller
    be interrupted in between, the place is free as soon as the caller's list is gone.
    """

    __slots__ = ("_get", "_queue", "give_back")

    def __init__(self, size: int) -> None:
        """Begin with all places free."""
        self._queue: SimpleQueue[Place] = SimpleQueue()
        self._get = self._queue.get
        self.give_back = self._queue.put
        """Free a place. Written in C, and thus one step."""
        for _ in range(size):
            self._queue.put(Place(self._queue))

    def take(self, taken: list[Place], timeout: float) -> bool:
        """Append a place to `taken`; return False if none became free within so many seconds."""
        try:
            # One step, as in `asm_core.contexts.take`.
            taken.extend(map(self._get, _BLOCKING, (timeout,)))
        except Empty:
            return False
        return True

    def are_taken(self) -> bool:
        """Return whether no place is free at this moment."""
        return self._queue.empty()
