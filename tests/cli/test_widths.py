"""Tables and help fit a terminal of 80 columns and one of 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from test_hostile_text import ALL, STYLES, terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.models import Session

__all__ = ["terminal"]

TABLES = [
    *("sessions", "sessions --all --deleted", "show", "show --full", "usage", "usage --by session_id", "tag last"),
    *("health", "maintain", "maintain --dry-run", "backends", "providers"),
    *(f"{' '.join(path)} --help" for path in ALL),
    "--help",
]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("command", TABLES)
def test_no_line_is_wider_than_the_terminal(
    fill: Callable[..., Session],
    terminal: Callable[[list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    long = {"title": "A title that is far too long " * 9, "user_id": "u" * 50, "tags": ["pinned"], "status": "failed"}
    fill(agent_id="an-agent-with-a-long-name-" * 3, **long)
    fill(run={"input": {"command": ["make", "x" * 300]}, "token_usage": {"input_tokens": 10**9, "output_tokens": 1}})
    shown = STYLES.sub("", terminal(command.split()))
    assert "Traceback" not in shown
    assert [line for line in shown.splitlines() if cell_len(line) > width] == []
