"""No secret reaches the store, wherever a run has it."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedProvider, log, only_session

import asm_core as asm
from asm_core.commands import CommandProvider
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asm_core import Emit, SessionStore

SECRET = "sk-ant-api03-" + "Ab1" * 31
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
BLOCK = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----"
MARK = "[REDACTED:anthropic_api_key]"


@pytest.fixture
def store() -> Iterator[SessionStore]:
    with asm.open_backend("memory") as opened:
        yield opened.session_store


def execute(store: SessionStore, script: Callable[[Emit], object], given: Any = "hello", **options: Any) -> Any:
    provider = ScriptedProvider(lambda _provider, _run, _session, emit: script(emit))
    manager = asm.SessionManager(store, provider, redactor=asm.Redactor())
    return manager.run_once(given, **options)


def streamed(store: SessionStore) -> list[dict[str, Any]]:
    return [event.data for event in log(store) if event.type == EventType.MESSAGE_STREAMED]


def text(store: SessionStore) -> str:
    return "".join(data["delta"] for data in streamed(store))


def leaky(emit: Emit) -> None:
    for size in (1, 3, 7):
        for start in range(0, len(SECRET), size):
            emit(EventType.MESSAGE_STREAMED, {"delta": SECRET[start : start + size]})
        emit(EventType.MESSAGE_STREAMED, {"delta": " "})
    for line in BLOCK.splitlines(keepends=True):
        emit(EventType.MESSAGE_STREAMED, {"delta": line})
    emit(EventType.TOOL_CALL_STARTED, {"tool_call_id": "1", "tool_name": "sh", "tool_input": {"c": [SECRET, BLOCK]}})
    emit(EventType.TOOL_CALL_COMPLETED, {"tool_call_id": "1", "tool_name": "sh", "tool_output": {"stdout": BLOCK}})
    emit(EventType.MESSAGE_RECEIVED, {"role": "assistant", "content": [{"type": "text", "text": f"is {SECRET}"}]})
    emit("acme.note", {"password": BODY})
    raise asm.ProviderError(f"{SECRET} was refused.", details={"key": SECRET})


@pytest.mark.parametrize("kind", ["sqlmodel", "peewee", "pony"])
def test_no_bytes_of_a_secret_are_in_the_file(kind: str, tmp_path: Path) -> None:
    with asm.open_backend(kind, url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
        facts = {"metadata": {"header": f"Bearer {SECRET}"}, "context": {"api_key": BODY}}
        with pytest.raises(asm.ProviderError, match=SECRET):
            execute(backend.session_store, leaky, {"prompt": f"use {SECRET}", "key": BLOCK}, **facts)
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"REDACTED" in raw
    assert SECRET[13:30].encode() not in raw
    assert BODY.encode() not in raw


def test_no_secret_is_in_the_rows_of_postgresql(postgresql_url: str) -> None:
    with asm.open_backend("sqlmodel", url=postgresql_url, migrate=True) as backend:
        with pytest.raises(asm.ProviderError):
            execute(backend.session_store, leaky, {"prompt": f"use {SECRET}", "key": BLOCK})
        session = only_session(backend.session_store)
        runs = backend.session_store.list_runs(session.id)
        rows = repr([session, runs, log(backend.session_store)])
    assert "REDACTED" in rows
    assert SECRET[13:30] not in rows
    assert BODY not in rows


def test_other_fields_of_a_delta_and_warnings_are_redacted(store: SessionStore) -> None:
    def script(emit: Emit) -> None:
        emit(EventType.MESSAGE_STREAMED, {"delta": "plain\n", "source": f"key {SECRET}"})
        emit(EventType.MESSAGE_STREAMED, {"delta": [SECRET]})

    execute(store, script)
    first, second = (event for event in log(store) if event.type == EventType.MESSAGE_STREAMED)
    assert first.data == {"delta": "plain\n", "source": f"key {MARK}"}
    assert "asm_warnings" in second.metadata
    assert SECRET not in repr([first, second])


def test_secrets_are_counted_in_metadata(store: SessionStore) -> None:
    execute(store, lambda emit: emit(EventType.MESSAGE_STREAMED, {"delta": f"{SECRET} {SECRET} "}), f"use {SECRET}")
    counted = {event.type: event.metadata["asm_redactions"] for event in log(store) if event.metadata}
    assert counted == {"message_sent": {"anthropic_api_key": 1}, "message_streamed": {"anthropic_api_key": 2}}
    (run,) = store.list_runs(only_session(store).id)
    assert run.metadata["asm_redactions"] == {"anthropic_api_key": 1}


def test_the_provider_gets_the_input_as_it_was_given(store: SessionStore) -> None:
    provider = ScriptedProvider(lambda _provider, run, _session, _emit: inputs.append(run.input))
    inputs: list[Any] = []
    asm.SessionManager(store, provider, redactor=asm.Redactor()).run_once(f"use {SECRET}")
    assert inputs == [{"prompt": f"use {SECRET}"}]
    (run,) = store.list_runs(only_session(store).id)
    assert run.input == {"prompt": f"use {MARK}"}


def test_streams_are_joined_separately(store: SessionStore) -> None:
    def script(emit: Emit) -> None:
        emit(EventType.MESSAGE_STREAMED, {"stream": "stdout", "delta": SECRET[:20]})
        emit(EventType.MESSAGE_STREAMED, {"stream": "stderr", "delta": "plain\n"})
        emit(EventType.MESSAGE_STREAMED, {"stream": "stdout", "delta": f"{SECRET[20:]}\n"})

    execute(store, script)
    assert streamed(store) == [{"stream": "stderr", "delta": "plain\n"}, {"stream": "stdout", "delta": f"{MARK}\n"}]


def test_held_text_is_stored_before_the_next_event(store: SessionStore) -> None:
    def script(emit: Emit) -> None:
        emit(EventType.MESSAGE_STREAMED, {"delta": "a sk-ant-"})
        emit(EventType.TOKEN_USAGE_UPDATED, {"usage": {"input_tokens": 1, "output_tokens": 1}})
        emit(EventType.MESSAGE_RECEIVED, {"role": "assistant", "content": "a sk-ant-"})
        emit(EventType.MESSAGE_STREAMED, {"delta": "pass"})

    execute(store, script)
    found = [(event.type, event.data.get("delta")) for event in log(store)[4:-2]]
    assert found == [
        ("message_streamed", "a "),
        ("token_usage_updated", None),
        ("message_streamed", "sk-ant-"),
        ("message_received", None),
        ("message_streamed", "pass"),
    ]


def test_bytes_that_are_no_text_are_kept_and_searched(store: SessionStore) -> None:
    code = f"import os; os.write(1, b'\\xff\\xfe {SECRET} \\xff\\n'); os.write(2, b'\\xc3')"
    manager = asm.SessionManager(store, CommandProvider(), redactor=asm.Redactor())
    manager.run_once({"command": [sys.executable, "-c", code]})
    raw = {data["stream"]: base64.b64decode(data["base64"]) for data in streamed(store)}
    assert raw == {"stdout": b"\xff\xfe %s \xff\n" % MARK.encode(), "stderr": b"\xc3"}
    (run,) = store.list_runs(only_session(store).id)
    assert SECRET not in repr((run, log(store)))


def test_a_command_runs_as_it_was_given(store: SessionStore) -> None:
    manager = asm.SessionManager(store, CommandProvider(), redactor=asm.Redactor())
    result = manager.run_once({"command": [sys.executable, "-c", "import sys; print(len(sys.argv[1]))", SECRET]})
    assert text(store) == f"{len(SECRET)}\n"
    assert SECRET not in repr(list(result.events))


def test_steps_of_a_session_are_redacted(store: SessionStore) -> None:
    manager = asm.SessionManager(store, ScriptedProvider(), redactor=asm.Redactor())
    session = manager.start_session(metadata={"password": "x"}, context={"url": "db://u:p@h"})
    manager.activate_session(session.id)
    run = manager.start_run(session.id, f"use {SECRET}", metadata={"note": SECRET})
    assert run == store.get_run(run.id)
    manager.execute_run(run.id)
    manager.fail_session(session.id, {"message": SECRET})
    stored = repr((store.get_session(session.id), store.get_run(run.id), log(store)))
    assert SECRET not in stored
    assert store.get_session(session.id).metadata == {
        "password": "[REDACTED:password]",
        "asm_redactions": {"password": 1, "url_password": 1},
    }


def test_runs_of_asyncio_are_redacted(tmp_path: Path) -> None:
    async def converse() -> None:
        async with asm.aio.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
            provider = ScriptedProvider(
                lambda _provider, _run, _session, emit: emit(EventType.MESSAGE_STREAMED, {"delta": SECRET})
            )
            manager = asm.aio.SessionManager(backend.session_store, provider, redactor=asm.Redactor())
            await manager.run_once(SECRET)

    asyncio.run(converse())
    with sqlite3.connect(tmp_path / "asm.db") as connection:
        rows = repr(connection.execute("SELECT * FROM asm_events").fetchall())
    connection.close()
    assert MARK in rows
    assert SECRET[13:30] not in rows


def test_a_redactor_has_its_type(store: SessionStore) -> None:
    with pytest.raises(asm.ValidationError):
        asm.SessionManager(store, ScriptedProvider(), redactor=True)  # type: ignore[arg-type]
