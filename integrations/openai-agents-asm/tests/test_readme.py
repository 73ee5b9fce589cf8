"""The code of the README runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents import SQLiteSession
from scripted import ScriptedModel, message

if TYPE_CHECKING:
    import pytest

README = Path(__file__).parents[1] / "README.md"


def test_code_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    SQLiteSession("theirs", "conversations.db").close()
    use, migration = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {"model": ScriptedModel(message("San Francisco"))}
    exec(use, names)  # noqa: S102
    asyncio.run(names["main"]())
    exec(migration, names)  # noqa: S102
    assert capsys.readouterr().out == "San Francisco\n0 sessions\n"
