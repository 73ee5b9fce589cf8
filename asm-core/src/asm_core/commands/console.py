"""The terminal of this process, for a command on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING, Any, Final, Self, TypeGuard

from asm_core.commands.pseudo_terminal import Size
from asm_core.concurrency.threads import begin_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.commands.pseudo_terminal import PseudoTerminal

_READ_BYTES: Final = 4_096
_STDERR: Final = 2
_END_SECONDS: Final = 0.25
"""Seconds between two ends of input: a program may read on after the first."""


class Console:
    """Connects a command on a pseudo-terminal with the terminal of this process.

    From the first attached command on, the terminal is in raw mode: it passes all keys on, Ctrl-C included, and changes
    no output. Standard input goes to the command, and is not recorded. If it is not a terminal, it is passed on to its
    end. A context manager: at its end, when all output is written, the terminal is restored.

    Attributes:
        merges: whether standard error is a terminal too, so that the command's is written to its pseudo-terminal.
        attributes: the attributes of the terminal at standard input, before the raw mode; None if it is none.
    """

    def __init__(self, stdin: int | None = 0, stdout: int | None = 1) -> None:
        """Use these descriptors; None: no input, and a terminal of 80 columns and 24 rows."""
        self._stdin = stdin
        self._stdout = stdout
        self._is_raw = False
        self._lock = threading.Lock()
        self.merges = stdout is None or _is_terminal(_STDERR)
        self.attributes = _attributes(stdin)

    @property
    def size(self) -> Size:
        """The size of the terminal, or 80 columns and 24 rows."""
        for descriptor in filter(_is_terminal, (self._stdout, self._stdin)):
            with contextlib.suppress(OSError):
                found = os.get_terminal_size(descriptor)
                if found.columns and found.lines:
                    return Size(found.columns, found.lines)
        return Size()

    @contextlib.contextmanager
    def attached(self, terminal: PseudoTerminal) -> Iterator[None]:
        """Pass keys on to a command's terminal."""
        stopped, stop = os.pipe()
        thread = threading.Thread(target=self._pass_on, args=(terminal, stopped), name="asm-input", daemon=True)
        try:
            with self._lock:
                self._is_raw = True
            self.resume()
            begin_thread(thread, "pass on the input")
            try:
                yield
            finally:
                os.write(stop, b"!")
                thread.join()
        finally:
            os.close(stopped)
            os.close(stop)

    def resume(self) -> None:
        """Set the raw mode again, after a shell changed it while this process was stopped."""
        with self._lock:
            if self._is_raw and self._stdin is not None and self.attributes is not None:
                import termios  # noqa: PLC0415  exists on Unix only
                import tty  # noqa: PLC0415

                with contextlib.suppress(termios.error):  # the terminal is gone
                    tty.setraw(self._stdin, termios.TCSANOW)

    def __enter__(self) -> Self:
        """Return the console."""
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the terminal."""
        with self._lock:
            if self._is_raw and self._stdin is not None and self.attributes is not None:
                import termios  # noqa: PLC0415

                with contextlib.suppress(termios.error):
                    termios.tcsetattr(self._stdin, termios.TCSANOW, self.attributes)
            self._is_raw = False

    def _pass_on(self, terminal: PseudoTerminal, stopped: int) -> None:
        """Copy standard input to the terminal until `stopped` becomes readable."""
        chunk = b"-"
        while chunk and self._stdin is not None:
            if _is_set(stopped, self._stdin):
                return
            chunk = _read(self._stdin)
            if not _write(terminal, chunk, stopped):
                return
        if self.attributes is None:
            # Each one ends one read, also if it is within a line: the end of a pipe stays.
            while _write(terminal, terminal.end_of_input(), stopped) and not _is_set(stopped, timeout=_END_SECONDS):
                pass


def _is_set(stopped: int, *others: int, timeout: float | None = None) -> bool:
    """Wait until any of the descriptors can be read, or is invalid; return whether `stopped` can be read."""
    try:
        return stopped in select.select([stopped, *others], [], [], timeout)[0]
    except OSError:
        return False


def _write(terminal: PseudoTerminal, data: bytes, stopped: int) -> bool:
    """Write everything; return False if `stopped` becomes readable first, or the command has closed its terminal."""
    while data:
        if select.select([stopped], [terminal], [])[0]:
            return False
        try:
            data = data[os.write(terminal.fileno(), data) :]
        except BlockingIOError:
            continue
        except OSError:
            return False
    return True


def is_interactive() -> bool:
    """Return whether standard input and output are a terminal, and this process is in its foreground."""
    if not (hasattr(os, "openpty") and _is_terminal(0) and _is_terminal(1)):
        return False
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # it is not the controlling terminal
        return True


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_BYTES)
    except OSError:  # the terminal is gone, or there is no standard input
        return b""


def _is_terminal(descriptor: int | None) -> TypeGuard[int]:
    try:
        return descriptor is not None and os.isatty(descriptor)
    except OSError:
        return False


def _attributes(descriptor: int | None) -> list[Any] | None:
    if not (hasattr(os, "openpty") and _is_terminal(descriptor)):
        return None
    import termios  # noqa: PLC0415

    return termios.tcgetattr(descriptor)
