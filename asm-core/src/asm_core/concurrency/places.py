"""A counting semaphore whose places no interruption can lose."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final
from weakref import ref

_AT_ONCE: Final = (False,)
_LAST: Final = (-1,)
_PASSED_OVER: Final = 0.002
LONGEST_WAIT: Final = 0.02
"""Seconds after which a waiter checks again: a place that an interruption lost is freed without a wakeup."""


class Place:
    """One of several places. It belongs to its references, and is free again after the last one."""

    # No __del__ and no callback in Python: a signal handler could interrupt it, and Python ignores the exception.
    __slots__ = ("__weakref__",)


class _Slot:
    """Observes one place, and keeps another one in reserve for when it is lost."""

    __slots__ = ("following", "place", "reserve", "successor")

    def __init__(self, place: ref[Place]) -> None:
        reserve = Place()
        self.place = place
        self.reserve = [reserve]
        self.successor = ref(reserve)
        self.following: dict[None, _Slot] = {}


class Places:
    """A fixed number of places; a caller waits until one is free.

    Taking and returning a place is one step: an exception of a signal handler comes before or after it. If the caller
    is interrupted in between, the place is freed with the caller's list.
    """

    __slots__ = ("_bell", "_get", "_queue", "_slots", "give_back")

    def __init__(self, size: int) -> None:
        """Create places, all free."""
        self._queue: SimpleQueue[Place] = SimpleQueue()
        self._get = self._queue.get
        self.give_back = self._queue.put
        """Free a place. Written in C, so it is one step."""
        self._bell = threading.Lock()
        places = [Place() for _ in range(size)]
        self._slots = [_Slot(ref(place)) for place in places]
        for place in places:
            self._queue.put(place)

    def take(self, taken: list[Place], timeout: float) -> bool:
        """Append a place to `taken`; return False if none became free within the timeout."""
        deadline: float | None = None
        while True:
            try:
                # One step, as in `asm_core.concurrency.contexts.take`. Never a blocking `get`: up to Python 3.12, it
                # waits forever if another thread takes an item just before the deadline.
                taken.extend(map(self._get, _AT_ONCE))
            except Empty:
                pass
            else:
                if not self._queue.empty():
                    self.ring()
                return True
            if self._replace_lost():
                continue
            now = time.monotonic()
            deadline = now + timeout if deadline is None else deadline
            if now >= deadline:
                return False
            self._bell.acquire(timeout=min(deadline - now, LONGEST_WAIT))

    def _replace_lost(self) -> bool:
        """Free the reserve of each place that an interruption lost, before `give_back`; return whether there was one.

        Several threads may do so at once, and each may be interrupted: the next caller completes what is missing.
        """
        found = False
        for index, slot in enumerate(self._slots):
            if slot.place() is None:
                with suppress(IndexError):  # another thread was faster
                    any(map(self.give_back, map(slot.reserve.pop, _LAST)))  # one step
                self._slots[index] = slot.following.setdefault(None, _Slot(slot.successor))
                found = True
        return found

    def are_taken(self) -> bool:
        """Return whether no place is free."""
        return self._queue.empty()

    def ring(self) -> None:
        """Wake a waiter, if there is one; called after `give_back`. Without a wakeup, the waiter checks again soon."""
        if self._bell.locked():
            with suppress(RuntimeError):  # another thread was faster
                self._bell.release()


class FairPlaces(Places):
    """Places for which no thread waits much longer than others.

    A place that is given back goes to the thread that runs, before one that sleeps. That is fastest, but with eight
    threads, one call in a hundred is overtaken a hundred times. Here a thread that was overtaken for some milliseconds
    comes next, before all later ones.
    """

    __slots__ = ("_next",)

    def __init__(self, size: int) -> None:
        """Create places, all free."""
        super().__init__(size)
        self._next = Places(1)

    def take(self, taken: list[Place], timeout: float) -> bool:
        """Append a place to `taken`; return False if none became free within the timeout."""
        if not self._next.are_taken() and super().take(taken, min(_PASSED_OVER, timeout)):
            return True
        deadline = time.monotonic() + timeout
        following: list[Place] = []
        try:
            return self._next.take(following, timeout) and super().take(taken, max(0.0, deadline - time.monotonic()))
        finally:
            if following:
                self._next.give_back(following.pop())
                self._next.ring()
