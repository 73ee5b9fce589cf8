"""Sessions of databases that the framework made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from google.adk.sessions import BaseSessionService, DatabaseSessionService, InMemorySessionService
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai import types
from scripted import changing, said

from google_adk_asm import AsmSessionService, copy_sessions

if TYPE_CHECKING:
    from pathlib import Path

    from asm_core import Backend

USAGE = types.GenerateContentResponseUsageMetadata(prompt_token_count=3, candidates_token_count=2, total_token_count=5)


def opened(kind: str, directory: Path) -> BaseSessionService:
    if kind == "database":
        return DatabaseSessionService(f"sqlite+aiosqlite:///{directory / 'theirs.db'}")
    return SqliteSessionService(str(directory / "theirs.db")) if kind == "sqlite" else InMemorySessionService()


async def fill(source: BaseSessionService) -> None:
    for user_id, name, count in (("u", "one", 1), ("u", "many", 30), ("v", "empty", 0)):
        session = await source.create_session(
            app_name="app", user_id=user_id, session_id=name, state={"app:x": 1, "user:y": name, "z": {"n": [1]}}
        )
        for number in range(count):
            await source.append_event(session, said(number, usage_metadata=USAGE, author="agent"))
            await source.append_event(session, changing(z=number, user__n=number))
    await source.create_session(app_name="other", user_id="u", session_id="one", state={"app:x": 2})


def dumped(sessions: list[Any]) -> list[Any]:
    return [session.model_dump() for session in sessions]


@pytest.mark.parametrize("kind", ["database", "sqlite", "memory"])
def test_sessions_are_copied_once(kind: str, backend: Backend, tmp_path: Path) -> None:
    async def main() -> None:
        source, target = opened(kind, tmp_path), AsmSessionService(backend)
        await fill(source)
        assert await copy_sessions(source, target, app_name="app") == 3
        theirs, ours = await source.list_sessions(app_name="app"), await target.list_sessions(app_name="app")
        assert dumped(ours.sessions) == dumped(theirs.sessions)
        for listed in theirs.sessions:
            key: Any = {"app_name": "app", "user_id": listed.user_id, "session_id": listed.id}
            found, expected = await target.get_session(**key), await source.get_session(**key)
            assert dumped([found]) == dumped([expected])
        # A copied session continues, and is not copied again.
        session = await target.get_session(app_name="app", user_id="u", session_id="many")
        assert session is not None
        await target.append_event(session, changing(app__x=5, z="new"))
        assert await copy_sessions(source, target, app_name="app") == 0
        again = await target.get_session(app_name="app", user_id="u", session_id="many")
        assert again is not None
        assert (len(again.events), again.state["app:x"], again.state["z"]) == (61, 5, "new")
        await source.close() if isinstance(source, DatabaseSessionService) else None

    asyncio.run(main())
    (run,) = backend.session_store.list_runs("adk:app:u:many")
    assert (run.token_usage.total_tokens, run.status) == (150, "completed")
    assert backend.query_api.search_sessions(tags="adk", count=True).total_count == 3


def test_padded_ids_are_found_as_they_were(backend: Backend, tmp_path: Path) -> None:
    async def main() -> None:
        target = AsmSessionService(backend)
        async with DatabaseSessionService(f"sqlite+aiosqlite:///{tmp_path / 'theirs.db'}") as source:
            for name in ("s", " s "):
                await source.create_session(app_name="app", user_id="u", session_id=name, state={"name": name})
            assert await copy_sessions(source, target, app_name="app") == 2
        for name, expected in (("s", "s"), (" s ", " s "), ("s ", "s")):
            found = await target.get_session(app_name="app", user_id="u", session_id=name)
            assert found is not None
            assert (found.id, found.state) == (expected, {"name": expected})
        await target.delete_session(app_name="app", user_id="u", session_id=" s ")
        assert [found.id for found in (await target.list_sessions(app_name="app")).sessions] == ["s"]

    asyncio.run(main())
