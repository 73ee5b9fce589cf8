"""Waiting between threads that an exception from a signal handler cannot break.

Such an exception (Ctrl-C's KeyboardInterrupt) reaches the main thread between any two bytecodes. In `threading.Event`
and `Thread.start` it can leave an inner lock held, and the other thread then blocks without end. What is here does each
step in one call into the interpreter.
"""

from __future__ import annotations

import _thread
import contextlib
import time
from typing import TYPE_CHECKING, Final

from asm_core.concurrency.threads import no_thread

if TYPE_CHECKING:
    from collections.abc import Callable

_BLINK: Final = 0.25
"""The longest wait in one piece: a waiter that was interrupted in the worst place delays the others by so much."""


class Latch:
    """Something that happens once.

    Attributes:
        is_set: whether it has happened.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def set(self) -> None:
        """Let it happen; a second time is a no-op."""
        self.is_set = True
        self._let_through()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it happens, for at most `timeout` seconds; return whether it has happened."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set:
            left = _BLINK if deadline is None else min(_BLINK, deadline - time.monotonic())
            if left <= 0:
                return False
            if self._lock.acquire(timeout=left):
                self._let_through()  # the next waiter
        return True

    def _let_through(self) -> None:
        with contextlib.suppress(RuntimeError):  # it stands open already
            self._lock.release()


def start_thread(target: Callable[[], object]) -> None:
    """Start a daemon thread; an exception from a signal handler leaves it either not started, or running.

    Raises:
        StorageConnectionError: the system has no room for another one; the same call may succeed later.
    """
    try:
        _thread.start_new_thread(target, ())
    except RuntimeError as error:
        raise no_thread(error, "run in the background") from error
