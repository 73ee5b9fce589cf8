"""A terminal with a program in it, as a window has one."""

from __future__ import annotations

import os
import pty
import select
import sys
import termios
import time
from typing import TYPE_CHECKING, Any, Self

from processes import LIMIT, Process

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_ATTACH = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


class Terminal:
    """A pseudo-terminal, and a program whose controlling terminal it is.

    Attributes:
        shown: what the program wrote so far.
    """

    def __init__(self, *command: str, cwd: Path, env: dict[str, str], **streams: Any) -> None:
        self._main, self._end = pty.openpty()
        termios.tcsetwinsize(self._end, (24, 80))
        self.shown = b""
        self._passed = 0
        self.before = self.attributes()
        attach = [sys.executable, "-S", "-c", _ATTACH, str(self._end)]
        ends = {"stdin": self._end, "stdout": self._end, "stderr": self._end, **streams}
        self.process = Process([*attach, *command], cwd=cwd, env=env, pass_fds=[self._end], **ends)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def attributes(self) -> list[Any]:
        """Return the attributes of the terminal."""
        return termios.tcgetattr(self._end)

    def is_raw(self) -> bool:
        """Return whether keys are passed to the program as they are."""
        return not self.attributes()[3] & (termios.ECHO | termios.ICANON | termios.ISIG)

    def type(self, keys: bytes) -> None:
        os.write(self._main, keys)

    def set_attributes(self, attributes: list[Any]) -> None:
        termios.tcsetattr(self._end, termios.TCSANOW, attributes)

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self._main, (rows, columns))

    def until(self, text: bytes) -> bytes:
        """Read until the program has written a text after what was read before, and return it with all before it."""
        start = self._passed
        deadline = time.monotonic() + LIMIT
        while text not in self.shown[start:]:
            assert time.monotonic() < deadline, self.shown
            self._read()
        self._passed = self.shown.index(text, start) + len(text)
        return self.shown[start : self._passed]

    def ended(self) -> int:
        """Read to the end of the program, and return its exit status."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self._read()
        while self._read():
            pass
        return self.process.wait()

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        for descriptor in {self._main, self._end} - {-1}:
            os.close(descriptor)
        self._main = self._end = -1

    def _read(self) -> bytes:
        ready, _, _ = select.select([self._main], [], [], 0.05)
        found = os.read(self._main, 65_536) if ready else b""
        self.shown += found
        return found
