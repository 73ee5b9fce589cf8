"""Ending a group of processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

_FIRST_LOOK: Final = 0.005
_LAST_LOOK: Final = 0.1
"""Seconds between two looks whether a group has ended, ever longer: no system tells when its last process is gone."""


def end_group(group: int, grace: float) -> None:
    """End all processes of a group: SIGTERM, then SIGKILL for those that are left after `grace` seconds.

    Returns once none is left. An interruption (Ctrl-C) meanwhile kills them at once. A group that is gone is a no-op.
    """
    if not _signal(group, signal.SIGTERM):
        return
    left = True
    try:
        deadline = time.monotonic() + grace
        pause = _FIRST_LOOK
        while (left := is_alive(group)) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
    finally:
        if left:
            _signal(group, signal.SIGKILL)


def is_alive(group: int) -> bool:
    """Return whether a process of the group still runs.

    Its first process is taken to be waited for by its parent. Another that has ended but was never waited for does not
    count: the parent of an orphan is the system's first process, which in a container often waits for nobody.
    """
    if not _signal(group, 0):
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(group, 0)
        return True
    states = [state for state, found in _processes() if found == group]
    return not states or any(state not in "ZX" for state in states)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # All of them have become another user's, or (on macOS) have ended and are not waited for.
        return False
    return True


def _processes() -> list[tuple[str, int]]:
    """Return the state and the group of each process, where the system shows them under /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent group ...", and the name may hold anything.
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # ended meanwhile
        found.append((fields[0].decode(), int(fields[2])))
    return found
