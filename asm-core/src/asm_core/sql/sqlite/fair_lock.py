"""Taking turns to write: a lock for which no thread waits much longer than the others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import do_first_in_child
from asm_core.concurrency.places import Place, Places

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSED_OVER: Final = 0.002


class Turns:
    """A lock that one thread holds at a time. An exception at any instant, a signal handler's too, leaves it free.

    Python's own goes to the thread that comes by while it is free, before the one that sleeps until it is. That is the
    fastest way to use it, but of eight writers one call in a hundred is passed over a hundred times. Here a thread that
    was passed over for some milliseconds comes next, and all that come later wait behind it.

    Attributes:
        owner: the thread that has the turn, and a reference to that turn.
        end: ends a turn. Written in C, and thus one step. Afterwards `ring` wakes the next thread.
    """

    def __init__(self) -> None:
        """Begin with nobody's turn."""
        self._turn = Places(1)
        self._next = Places(1)
        self.owner: tuple[int, ref[Place]] | None = None
        self.end = self._turn.give_back
        self.ring = self._turn.ring

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and end it with the context."""
        turn: list[Place] = []
        try:
            self.take(turn, threading.TIMEOUT_MAX)
            yield
        finally:
            if turn:
                self.owner = None
                self.end(turn.pop())
                self.ring()

    def take(self, turn: list[Place], timeout: float) -> bool:
        """Wait for the turn for at most so many seconds; append it to `turn`, or return False.

        The caller ends it in a ``finally``, as `taken` does. Should an interruption skip that, it ends when nothing
        refers to it any more.
        """
        if self._next.are_taken() or not self._turn.take(turn, min(_PASSED_OVER, timeout)):
            self._queue(turn, timeout)
        if turn:
            self.owner = threading.get_ident(), ref(turn[0])
        return bool(turn)

    def is_mine(self) -> bool:
        """Return whether this thread has the turn."""
        owner = self.owner
        return owner is not None and owner[0] == threading.get_ident() and owner[1]() is not None

    def _queue(self, turn: list[Place], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        following: list[Place] = []
        try:
            if self._next.take(following, timeout):
                self._turn.take(turn, max(0.0, deadline - time.monotonic()))
        finally:
            if following:
                self._next.give_back(following.pop())
                self._next.ring()


_lock = threading.Lock()
_shared: dict[object, ref[Turns]] = {}


def turns_of(place: object) -> Turns:
    """Return the turns of all that write to `place` in this process."""
    with _lock:
        found = _shared.get(place)
        turns = None if found is None else found()
        if turns is None:
            turns = Turns()
            # Not by a callback of the reference, which an interruption could reach.
            for gone in [other for other, reference in _shared.items() if reference() is None]:
                del _shared[gone]
            _shared[place] = ref(turns)
        return turns


def _renew() -> None:
    global _lock  # noqa: PLW0603  a thread of the parent may have held it
    _lock = threading.Lock()
    _shared.clear()


do_first_in_child(_renew)
