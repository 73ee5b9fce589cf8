"""Sessions of a database that the framework made."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from agents import SQLiteSession

from asm_core import ValidationError
from openai_agents_asm import AsmSession, copy_sqlite_sessions

if TYPE_CHECKING:
    from pathlib import Path

    from asm_core import Backend


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.db"

    async def fill() -> None:
        for name, count in (("a", 3), ("b:c", 700), ("empty", 0)):
            session = SQLiteSession(name, path)
            await session.add_items(items(name, count) or [{"role": "user", "content": "x"}])
            if not count:
                await session.pop_item()
            session.close()

    asyncio.run(fill())
    return path


def items(name: str, count: int) -> list[Any]:
    return [{"role": "user", "content": f"{name} {number}", "id": "\ud800"} for number in range(count)]


def test_sessions_are_copied_once(theirs: Path, backend: Backend) -> None:
    assert copy_sqlite_sessions(theirs, backend) == 3
    assert copy_sqlite_sessions(theirs, backend) == 3
    for name, count in (("a", 3), ("b:c", 700), ("empty", 0)):
        session = AsmSession(name, backend)
        assert asyncio.run(session.get_items()) == items(name, count)
    with sqlite3.connect(theirs) as source:
        (time,) = source.execute("SELECT created_at FROM agent_sessions WHERE session_id = 'a'").fetchone()
    source.close()
    stored = backend.session_store.get_session(AsmSession("a", backend).stored_id)
    assert f"{stored.created_at:%Y-%m-%d %H:%M:%S}" == time
    assert backend.query_api.search_sessions(count=True).total_count == 3


def test_names_of_tables_are_checked(theirs: Path, backend: Backend) -> None:
    with pytest.raises(ValidationError, match="no name of a table"):
        copy_sqlite_sessions(theirs, backend, messages_table="a; b")
