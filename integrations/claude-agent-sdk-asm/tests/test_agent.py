"""Claude Code itself with a scripted model, and what a user sees of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bare import output_of
from claude_agent_sdk import get_session_messages_from_store, import_session_to_store, list_sessions_from_store
from scripted_model import serving

import asm_core
from claude_agent_sdk_asm import AsmSessionStore

if TYPE_CHECKING:
    import pytest

    from asm_core import Backend

PROGRAM = Path(__file__).with_name("second_process.py")


def run(*command: str) -> Any:
    return json.loads(output_of(*command, limit=90))


def test_second_process_resumes_from_the_store(
    backend: Backend, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as (model_url, requests):
        first = run(str(PROGRAM), store_url, model_url, str(tmp_path / "one"), "first question")
        session_id = first["session_id"]
        # The second process has no files of the first: its history is in the store only.
        second = run(str(PROGRAM), store_url, model_url, str(tmp_path / "two"), "second question", session_id)
    assert second == {"session_id": session_id, "result": "answer 2"}
    sent = json.dumps(requests[1]["messages"])
    assert all(text in sent for text in ("first question", "answer 1", "second question"))

    (session,) = backend.session_store.list_sessions()
    assert session.title == "first question"
    runs = backend.session_store.list_runs(session.id)
    assert [run.token_usage.total_tokens for run in runs] == [15, 15]
    asyncio.run(check_helpers(backend, tmp_path, session_id, monkeypatch))


async def check_helpers(backend: Backend, tmp_path: Path, session_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the SDK's reading helpers, and its copy of a transcript in its own files, on another project."""
    store = AsmSessionStore(backend)
    work = str(tmp_path / "work")
    assert [found.session_id for found in await list_sessions_from_store(store, directory=work)] == [session_id]
    texts = json.dumps(
        [each.message for each in await get_session_messages_from_store(store, session_id, directory=work)]
    )
    assert "answer 1" in texts
    assert "answer 2" in texts

    stored = [session for session in backend.session_store.list_sessions() if session_id in session.id]
    before = backend.session_store.get_latest_sequence(stored[0].id)
    backend.session_store.delete_session(stored[0].id)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "one"))
    for _ in range(2):
        await import_session_to_store(session_id, store)
    copied = await get_session_messages_from_store(store, session_id, directory=work)
    assert 0 < len(copied) < before
    assert len({each.uuid for each in copied}) == len(copied)


def test_commands_show_what_the_sdk_stored(sqlite_url: str) -> None:
    message = {"role": "assistant", "id": "m", "model": "claude-x", "content": "hello", "usage": {"output_tokens": 77}}
    with asm_core.open_backend("sqlmodel", url=sqlite_url) as backend:
        key: Any = {"project_key": "p", "session_id": "s"}
        asyncio.run(AsmSessionStore(backend).append(key, [{"type": "assistant", "message": message}]))
    asm = ("-m", "asm_core", "--backend", "sqlmodel", "--url", sqlite_url)
    assert [found["id"] for found in run(*asm, "sessions", "--json")] == ["claude:p:s"]
    usage = json.dumps(run(*asm, "usage", "--json"))
    assert '"claude-x"' in usage
    assert "77" in usage
