"""Calls of foreign code in a forked process."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_ANSWER: Final = 1 << 20
"""The largest result of a call, in bytes."""
PATIENCE: Final = 30.0
"""The time limit of a call, in seconds."""
_GRACE: Final = 1.0
"""Seconds to wait for the process to exit, after it closed the pipe without an answer."""
_FAILED: Final = 70
_END: Final = b"\n"


class EndedEarlyError(Exception):
    """The call returned no result."""


def can_isolate() -> bool:
    """Return whether processes can be forked here."""
    return hasattr(os, "fork")


def call_isolated(work: Callable[[], bytes], *, patience: float = PATIENCE) -> bytes:
    """Run `work` in a forked process and return its result, a line of bytes.

    Nothing that `work` does affects this process: exits, crashes, output at any level, changed settings. Its standard
    input is empty. Ctrl-C interrupts this process as usual. The process must have no other threads.

    Raises:
        EndedEarlyError: the forked process ended or timed out without a result; the message has the reason.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # otherwise the child would inherit buffered output
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, which exist in tests
        child = os.fork()
    if child == 0:
        _answer(work, writing)
    os.close(writing)
    status: int | None = None
    try:
        answer = _read_line(reading, time.monotonic() + patience)
        if answer is None:
            status = _status(child)
    finally:
        os.close(reading)
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if answer is None:
        raise EndedEarlyError(_reason(status, patience))
    return answer


def _answer(work: Callable[[], bytes], writing: int) -> NoReturn:
    import fcntl  # noqa: PLC0415  exists where fork() exists

    status = _FAILED
    try:
        writing = fcntl.fcntl(writing, fcntl.F_DUPFD_CLOEXEC, 3)  # above the descriptors that are replaced next
        nowhere = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(nowhere, handle)
        sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode, encoding="utf-8") for mode in "rww")  # noqa: PTH123, SIM115
        left = work() + _END
        while left:
            left = left[os.write(writing, left) :]
        status = 0
    finally:
        os._exit(status)


def _read_line(reading: int, deadline: float) -> bytes | None:
    """Read one line; return None if it is incomplete or too long."""
    answer = b""
    while len(answer) <= LONGEST_ANSWER:
        ready = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]
        piece = os.read(reading, 65_536) if ready else b""
        if not piece:
            return None
        answer += piece
        if answer.endswith(_END):
            return answer.removesuffix(_END)
    return None


def _status(child: int) -> int | None:
    """Return the exit status of the process, or None if it does not exit in time."""
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def _reason(status: int | None, patience: float) -> str:
    if status is None:
        return f"no answer of at most {LONGEST_ANSWER} bytes within {patience:.0f} seconds"
    if status < 0:
        return f"it ended the process that loaded it, by signal {-status}"
    return f"it ended the process that loaded it, with status {status}"
