"""The state in which a command leaves a terminal."""

from __future__ import annotations

import re
from typing import Final

_DEFAULTS: Final = {
    # The alternate screen comes first: leaving it may change the cursor.
    **dict.fromkeys((b"1049", b"1047", b"47"), b"l"),
    b"25": b"h",  # the cursor is visible
    b"7": b"h",  # long lines wrap
    b"1": b"l",  # application cursor keys
    **dict.fromkeys((b"9", b"1000", b"1001", b"1002", b"1003", b"1004", b"1005", b"1006", b"1015"), b"l"),  # the mouse
    b"2004": b"l",  # bracketed paste
    b"2026": b"l",  # synchronized output
}
"""The modes of xterm that commands change, and how they end with `h` (set) or `l` (reset) by default."""

_PAINTS: Final = {3: "foreground", 4: "background"}
"""What a parameter of SGR changes, by its tens; 90 to 107 are bright colours."""
_PLAIN: Final = frozenset({*range(22, 30), 39, 49})
_EXTENDED: Final = frozenset({38, 48, 58})

_LONGEST: Final = 48
"""Bytes of the longest sequence that is recognized."""
_CHANGES: Final = re.compile(rb"\x1b\[\?([\d;]{1,40})([hl])|\x1b\[([\d;:]{0,40})m")


class Screen:
    r"""Follows output to a terminal, to undo the modes that a killed command left set.

    >>> screen = Screen()
    >>> screen.follow(b"\x1b[?25l\x1b[31mred")
    >>> screen.undo()
    b'\x1b[?25h\x1b[0m'
    """

    def __init__(self) -> None:
        self._modes = dict(_DEFAULTS)
        self._painted: set[str] = set()
        self._rest = b""

    def follow(self, data: bytes) -> None:
        """Note the changes of modes in the next bytes of the output."""
        if not self._rest and b"\x1b" not in data:
            return
        data = self._rest + data
        for found in _CHANGES.finditer(data):
            modes, state, colours = found.groups()
            if modes is None:
                self._paint(colours)
                continue
            for mode in modes.split(b";"):
                if mode in self._modes:
                    self._modes[mode] = state
        last = data.rfind(b"\x1b")
        self._rest = data[last:] if last >= 0 and len(data) - last < _LONGEST else b""

    def undo(self) -> bytes:
        """Return the sequences that reset all modes to their defaults; empty if none was changed."""
        changed = [b"\x1b[?" + mode + default for mode, default in _DEFAULTS.items() if self._modes[mode] != default]
        return b"".join([*changed, *([b"\x1b[0m"] if self._painted else [])])

    def _paint(self, parameters: bytes) -> None:
        """Note a change of colours and other attributes of characters."""
        for parameter in parameters.replace(b":", b";").split(b";"):
            number = int(parameter or b"0")
            kind = _PAINTS.get(number % 60 // 10, "style")
            if number == 0:
                self._painted.clear()
            elif number in _PLAIN:
                self._painted.discard(kind)
            else:
                self._painted.add(kind)
            if number in _EXTENDED:  # what follows is the colour
                return
