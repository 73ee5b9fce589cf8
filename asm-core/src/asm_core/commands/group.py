"""Termination of process groups."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from asm_core.concurrency.latches import Latch, start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPT_GRACE: Final = 30.0
"""Seconds for a command to end after SIGINT: an interrupted test runner tears down and reports first."""

_FIRST_LOOK: Final = 0.005
_LAST_LOOK: Final = 0.1
"""Increasing seconds between checks whether a group has ended: no system notifies of the end of a group."""


class Ending:
    """Ends all processes of a group, in the background, with stronger and stronger signals.

    The first signal is an argument; SIGTERM follows, then SIGKILL. The group has `grace` seconds after each signal,
    and `INTERRUPT_GRACE` seconds after SIGINT while its first process runs. `press` sends the next signal at once.

    Attributes:
        is_over: set when no process is left, or no further signal can help.
    """

    def __init__(self, group: int, first: int, grace: float, *, then: Callable[[], object]) -> None:
        """Prepare the termination of `group`; `then` is called in the background after it."""
        self._group = group
        hardest: list[int] = [signal.SIGTERM, signal.SIGKILL]
        self._steps = [first, *hardest[hardest.index(first) + 1 if first in hardest else 0 :]]
        self._grace = grace
        self._then = then
        self._to_do = [self._run_once]
        self._pressed: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.is_over = Latch()

    def begin(self) -> None:
        """Send the first signal, and continue in the background. A second call is a no-op."""
        if self._to_do:
            start_thread(self._run)

    def press(self) -> None:
        """Send the next signal now."""
        self._pressed.put(None)

    def _run(self) -> None:
        with contextlib.suppress(IndexError):  # another thread took it
            self._to_do.pop()()

    def _run_once(self) -> None:
        try:
            for step in self._steps:
                if not send_signal(self._group, step):
                    break
                if step != signal.SIGKILL and self._has_ended(step):
                    break
            self._then()
        finally:
            self.is_over.set()

    def _has_ended(self, step: int) -> bool:
        """Wait until the group has ended; return False if the next signal is due."""
        began = time.monotonic()
        pause = _FIRST_LOOK
        left_alone = 0.0
        while is_alive(self._group):
            now = time.monotonic()
            if step == signal.SIGINT and _exists(self._group):
                deadline = began + max(INTERRUPT_GRACE, self._grace)
            else:
                left_alone = left_alone or now
                deadline = left_alone + self._grace
            if now >= deadline:
                return False
            with contextlib.suppress(queue.Empty):
                self._pressed.get(timeout=min(pause, deadline - now))
                return False
            pause = min(2 * pause, _LAST_LOOK)
        return True


def is_alive(group: int) -> bool:
    """Return whether a process of the group still runs.

    The first process is assumed to be reaped by its parent. Other zombies do not count: the parent of an orphan is
    process 1, which in a container often does not reap.
    """
    if not send_signal(group, 0):
        return False
    if _exists(group):
        return True
    states = [state for state, found in _processes() if found == group]
    return not states or any(state not in "ZX" for state in states)


def send_signal(group: int, number: int) -> bool:
    """Send a signal to each process of a group; return whether it reached any."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # All of them run as another user, or (on macOS) are zombies.
        return False
    return True


def _exists(process: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, 0)
        return True
    return False


def _processes() -> list[tuple[str, int]]:
    """Return the state and the group of each process, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent group ..."; the name may contain any character.
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # ended meanwhile
        found.append((fields[0].decode(), int(fields[2])))
    return found
