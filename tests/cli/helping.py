"""What `asm --help` prints: written from the application, or compared with it.

``python tests/cli/helping.py`` writes the file.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Final
from unittest import mock

import asm_core.cli
from asm_core.cli.program import start

HELP: Final = Path(asm_core.cli.__file__).with_name("help.txt")
WIDTH: Final = 80


def rendered() -> str:
    """Return the help as Typer prints it on a terminal of 80 columns."""
    printed = io.StringIO()
    with mock.patch.dict("os.environ", {"COLUMNS": str(WIDTH)}), contextlib.redirect_stdout(printed):
        start(["--help"])
    return printed.getvalue()


if __name__ == "__main__":
    HELP.write_text(rendered(), "utf-8")
