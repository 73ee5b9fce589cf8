"""The code of the README runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.adk.cli import service_registry
from google.adk.sessions import DatabaseSessionService
from scripted import agent, text

if TYPE_CHECKING:
    import pytest

README = Path(__file__).parents[1] / "README.md"


def test_code_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(service_registry, "_service_registry_instance", None)

    async def theirs() -> None:
        async with DatabaseSessionService("sqlite+aiosqlite:///sessions.db") as source:
            await source.create_session(app_name="weather", user_id="bob")

    asyncio.run(theirs())
    use, registering, migration = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {"agent": agent(text("Yes."))}
    exec(use, names)  # noqa: S102
    assert "Yes.\n" in capsys.readouterr().out
    exec(registering, names)  # noqa: S102
    exec(migration, names)  # noqa: S102
    assert capsys.readouterr().out == "1 sessions\n"
