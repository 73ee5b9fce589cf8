"""Escape sequences in recorded output. A terminal shows the text without them."""

from __future__ import annotations

import re
from typing import Final

SEQUENCES: Final = re.compile(r"\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""Escape sequences of terminals: colours, movements, titles."""


def without_sequences(text: str) -> str:
    r"""Return a text without escape sequences, and without what carriage returns overwrite.

    >>> without_sequences("\x1b[31mred\x1b[0m\r\n10%\r20%\r\n")
    'red\n20%\n'
    """
    return "\n".join(SEQUENCES.sub("", _rewritten(line)) for line in text.split("\n"))


def _rewritten(line: str) -> str:
    """Return what is left of a line where carriage returns overwrite it, as progress bars do."""
    written = line.rstrip("\r")
    return written[written.rfind("\r") + 1 :]
