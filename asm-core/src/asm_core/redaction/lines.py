"""Patterns of the caller, which are applied to one line after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Sequence

    Take = Callable[[str], str]

LINE: Final = 8192
"""The number of characters after which a line is cut."""


class LineStream:
    """Replaces the matches of patterns in a text that arrives in pieces. How it is cut does not change the result.

    A line is held back until it ends.
    """

    def __init__(self, patterns: Sequence[tuple[str, re.Pattern[str]]], take: Take) -> None:
        """Find `patterns`, each with its category. `take` counts a match, and returns its replacement."""
        self._patterns = patterns
        self._take = take
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the lines that have ended."""
        *lines, self._held = (self._held + text).split("\n")
        done = [self._whole(line) + "\n" for line in lines]
        while len(self._held) >= LINE:
            done.append(self._redacted(self._held[:LINE]))
            self._held = self._held[LINE:]
        return "".join(done)

    def end(self) -> str:
        """Return the last line."""
        held, self._held = self._held, ""
        return self._redacted(held)

    def _whole(self, line: str) -> str:
        if len(line) < LINE:
            return self._redacted(line)
        return "".join(self._redacted(line[start : start + LINE]) for start in range(0, len(line), LINE))

    def _redacted(self, line: str) -> str:
        for category, pattern in self._patterns:
            line = pattern.sub(partial(self._replace, category), line)
        return line

    def _replace(self, category: str, found: re.Match[str]) -> str:
        return self._take(category) if found[0] else ""
