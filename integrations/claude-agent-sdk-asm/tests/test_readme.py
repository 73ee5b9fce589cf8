"""The code of the README runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asm_core

if TYPE_CHECKING:
    import pytest

README = Path(__file__).parents[1] / "README.md"
SESSION = "550e8400-e29b-41d4-a716-446655440000"


def test_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    project = tmp_path / "projects" / "-home-ada"
    project.mkdir(parents=True)
    (project / f"{SESSION}.jsonl").write_text('{"type": "user", "uuid": "1"}\n')
    use, migration = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(use, names)  # noqa: S102
    names["query"] = answers
    asyncio.run(names["main"]("hello"))
    exec(migration, names)  # noqa: S102
    asyncio.run(names["migrate"](SESSION))
    with asm_core.open_backend("sqlmodel", url="sqlite:///asm.db") as backend:
        assert [session.id for session in backend.session_store.list_sessions()] == [f"claude:-home-ada:{SESSION}"]


async def answers(*, prompt: str, options: Any) -> Any:
    """Stand for the SDK's `query`, which test_agent runs."""
    assert options.session_store is not None
    yield prompt
