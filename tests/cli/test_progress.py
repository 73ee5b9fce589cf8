"""Long work shows its progress on a terminal, and nothing of it in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_hostile_text import terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.models import Session

__all__ = ["terminal"]

WORK = {
    "export --all DIRECTORY": "1 sessions exported",
    "export last -o DIRECTORY/x.jsonl": "Exporting the session",
    "import DIRECTORY/one.jsonl": "Importing the file",
    "import DIRECTORY": "1 files imported",
    "maintain": "sessions soft-deleted",
}


@pytest.mark.parametrize("command", WORK)
def test_long_work_shows_its_progress_on_a_terminal_only(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    terminal: Callable[[list[str]], str],
    tmp_path: Path,
    command: str,
) -> None:
    fill(status="completed")
    assert asm("export", "last", "-o", str(tmp_path / "one.jsonl")).exit_code == 0
    shown = terminal(command.replace("DIRECTORY", str(tmp_path)).split())
    assert WORK[command] in shown
    assert "\x1b[?25l" in shown  # a line that is drawn again
    for left in tmp_path.glob("x.jsonl"):
        left.unlink()
    piped = asm(*command.replace("DIRECTORY", str(tmp_path)).split())
    assert piped.exit_code == 0
    assert "\x1b" not in piped.output
