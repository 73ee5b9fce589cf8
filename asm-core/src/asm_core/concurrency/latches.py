"""Waiting between threads that is safe under exceptions from signal handlers.

Such an exception (Ctrl-C's KeyboardInterrupt) reaches the main thread between any two bytecodes. In `threading.Event`
and `Thread.start` it can leave an inner lock held, so that the other thread blocks forever. This module does each step
in one call into the interpreter.
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
"""Seconds of the longest single wait; a waiter that is interrupted at the worst point delays the others by this."""


class Latch:
    """An event that happens once.

    Attributes:
        is_set: whether it has happened.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def set(self) -> None:
        """Set the latch. A second call is a no-op."""
        self.is_set = True
        self._let_through()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for at most `timeout` seconds; return whether it is set."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set:
            left = _BLINK if deadline is None else min(_BLINK, deadline - time.monotonic())
            if left <= 0:
                return False
            if self._lock.acquire(timeout=left):
                self._let_through()  # the next waiter
        return True

    def _let_through(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is already open
            self._lock.release()


def start_thread(target: Callable[[], object]) -> None:
    """Start a daemon thread; an exception from a signal handler leaves it either not started or running.

    Raises:
        StorageConnectionError: the system has reached its limit of threads; retryable.
    """
    try:
        _thread.start_new_thread(target, ())
    except RuntimeError as error:
        raise no_thread(error, "run in the background") from error
