"""The first and the last lines of long texts."""

from __future__ import annotations

from collections import deque
from typing import Final

from asm_core.cli.output.history.sequences import without_sequences

WIDEST: Final = 2_000
"""Characters of a line that are shown."""
_FIRST: Final = 10
_LAST: Final = 5
"""Lines of a long text that are shown: the first and the last of it."""


class Folded:
    """The first and the last lines of a text, and the number of those between them; in bounded memory."""

    def __init__(self, *, full: bool) -> None:
        """Keep all lines if `full` is set."""
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=None if full else _LAST)
        self._count = 0
        self._open = ""
        self._widest = None if full else WIDEST

    def add(self, text: str) -> None:
        """Add a piece of the text."""
        *lines, rest = (self._open + text).split("\n")
        for line in lines:
            self._add_line(line)
        self._open = rest if self._widest is None or "\r" in rest or "\x1b" in rest else rest[: self._widest + 1]

    def parts(self) -> tuple[list[str], int, list[str]]:
        """Return the first lines, the number of hidden ones, and the last lines."""
        if self._open:
            self._add_line(self._open)
            self._open = ""
        last = list(self._last)
        return self._first, self._count - len(self._first) - len(last), last

    def _add_line(self, line: str) -> None:
        line = without_sequences(line).expandtabs(8)
        if self._widest is not None and len(line) > self._widest:
            line = f"{line[: self._widest]}…"
        self._count += 1
        if len(self._first) < _FIRST:
            self._first.append(line)
        else:
            self._last.append(line)
