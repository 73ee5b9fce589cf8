"""A fair lock for writers, for which no thread waits much longer than others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import do_first_in_child
from asm_core.concurrency.places import FairPlaces, Place
from asm_core.concurrency.transactions import would_wait_for_itself

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.concurrency.transactions import OpenTransaction


class Turns:
    """A lock for one thread at a time. An exception at any instant, also of a signal handler, leaves it free.

    Attributes:
        owner: the thread that took the turn, and a reference to that turn.
        holder: a reference to the transaction that holds it, if other threads can continue that.
        end: ends a turn. Written in C, so it is one step. After it, `ring` wakes the next thread.
    """

    def __init__(self) -> None:
        """Create a free lock."""
        self._turn = FairPlaces(1)
        self.owner: tuple[int, ref[Place]] | None = None
        self.holder: ref[OpenTransaction] | None = None
        self.end = self._turn.give_back
        self.ring = self._turn.ring

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the turn for the duration of the context."""
        turn: list[Place] = []
        try:
            self.take(turn, threading.TIMEOUT_MAX)
            yield
        finally:
            if turn:
                self.owner = self.holder = None
                self.end(turn.pop())
                self.ring()

    def take(self, turn: list[Place], timeout: float) -> bool:
        """Wait for the turn for at most `timeout` seconds; append it to `turn`, or return False.

        The caller ends it in a ``finally``, as `taken` does. If an interruption skips that, the turn ends with its last
        reference.
        """
        if self._turn.take(turn, timeout):
            self.owner, self.holder = (threading.get_ident(), ref(turn[0])), None
        return bool(turn)

    def is_mine(self) -> bool:
        """Return whether this thread would wait for itself: it holds the turn, or its transaction does."""
        owner, holder = self.owner, self.holder
        if owner is None or owner[1]() is None:
            return False
        transaction = None if holder is None else holder()
        return owner[0] == threading.get_ident() if transaction is None else would_wait_for_itself(transaction)


_lock = threading.Lock()
_shared: dict[object, ref[Turns]] = {}


def turns_of(place: object) -> Turns:
    """Return the lock of all writers to `place` in this process."""
    with _lock:
        found = _shared.get(place)
        turns = None if found is None else found()
        if turns is None:
            turns = Turns()
            # Not with a weak reference callback, which an interruption could reach.
            for gone in [other for other, reference in _shared.items() if reference() is None]:
                del _shared[gone]
            _shared[place] = ref(turns)
        return turns


def _renew() -> None:
    global _lock  # noqa: PLW0603  a thread of the parent may have held it
    _lock = threading.Lock()
    _shared.clear()


do_first_in_child(_renew)
