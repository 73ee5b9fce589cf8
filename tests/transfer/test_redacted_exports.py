"""An export with a redactor has no secrets, and every id and number of the session."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core.memory import MemoryBackend
from asm_core.testing import FakeProvider, FakeTurn
from asm_core.transfer import dump_session, load_session

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "sk-ant-api03-" + "Ab1" * 31
MARK = "[REDACTED:anthropic_api_key]"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"


@pytest.fixture
def backend() -> asm.Backend:
    return MemoryBackend()


@pytest.fixture
def session_id(backend: asm.Backend) -> str:
    return backend.session_store.save_session(asm.Session.new(agent_id="agent")).id


@pytest.fixture
def append(backend: asm.Backend, session_id: str) -> Callable[..., None]:
    def add(kind: str, data: dict[str, Any], run_id: str | None = None, **more: Any) -> None:
        event = asm.Event.new(type=kind, session_id=session_id, run_id=run_id, data=data, **more)
        backend.session_store.append_event(event)

    return add


def exported(backend: asm.Backend, session_id: str, redactor: asm.Redactor | None = None) -> bytes:
    file = io.BytesIO()
    dump_session(backend, session_id, file, redactor=redactor or asm.Redactor())
    return file.getvalue()


def imported(data: bytes, session_id: str) -> list[asm.StoredEvent]:
    target = MemoryBackend()
    load_session(target, io.BytesIO(data))
    return target.session_store.get_events(session_id)


def test_no_bytes_of_a_secret_are_in_the_file(backend: asm.Backend) -> None:
    turns = (
        FakeTurn(text=f"The key is {SECRET} .", tool_calls=[("sh", {"command": f"login --password={BODY}"})]),
        asm.ProviderError(f"{SECRET} was refused."),
    )
    facts = {"metadata": {"header": f"Bearer {SECRET}"}, "context": {"api_key": BODY}}
    manager = asm.SessionManager(backend.session_store, FakeProvider(turns, tools={"sh": lambda command: command}))
    with pytest.raises(asm.ProviderError) as raised:
        manager.run_once(f"use {SECRET}", **facts)
    session_id = raised.value.details["session_id"]
    artifact = asm.Artifact.new(
        key="key",
        session_id=session_id,
        byte_size=1,
        checksum_sha256="0" * 64,
        storage_backend="file",
        storage_ref="x",
        metadata={"source": f"https://user:{BODY}@host/"},
    )
    backend.artifact_registry.register(artifact)
    data = exported(backend, session_id)
    assert SECRET.encode() not in data
    assert BODY.encode() not in data
    lines = [json.loads(line) for line in data.splitlines()]
    assert len(lines) == len(exported(backend, session_id).splitlines())
    numbers = [event.sequence_number for event in imported(data, session_id)]
    assert numbers == [event.sequence_number for event in backend.session_store.get_events(session_id)]


def test_without_a_redactor_nothing_changes(backend: asm.Backend, session_id: str, append: Any) -> None:
    append("message_streamed", {"delta": SECRET})
    file = io.BytesIO()
    dump_session(backend, session_id, file)
    assert SECRET.encode() in file.getvalue()


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_secret_that_is_split_over_deltas_is_found(
    backend: asm.Backend, session_id: str, append: Any, size: int
) -> None:
    text = f"The key is {SECRET}, and the end"
    for start in range(0, len(text), size):
        append("message_streamed", {"delta": text[start : start + size]})
    data = exported(backend, session_id)
    found = imported(data, session_id)
    assert "".join(event.data["delta"] for event in found) == f"The key is {MARK}, and the end"
    assert [event.id for event in found] == [event.id for event in backend.session_store.get_events(session_id)]
    assert SECRET[13:20].encode() not in data
    assert sum(event.metadata.get("asm_redactions", {}).get("anthropic_api_key", 0) for event in found) == 1


def test_the_rest_of_a_text_is_in_its_last_delta(backend: asm.Backend, session_id: str, append: Any) -> None:
    append("message_streamed", {"delta": "a "})
    append("message_streamed", {"delta": "sk-"})
    append("token_usage_updated", {"usage": {"input_tokens": 1, "output_tokens": 1}})
    append("message_received", {"role": "assistant", "content": "a sk-"})
    append("message_streamed", {"delta": "ant-api03"})
    found = imported(exported(backend, session_id), session_id)
    assert [event.data.get("delta") for event in found] == ["a ", "sk-", None, None, "ant-api03"]


def test_texts_of_runs_at_once_are_separate(backend: asm.Backend, session_id: str, append: Any) -> None:
    runs = [backend.session_store.save_run(asm.Run.new(session_id=session_id)).id for _ in range(2)]
    append("message_streamed", {"delta": SECRET[:20]}, runs[0])
    append("message_streamed", {"delta": "plain"}, runs[1])
    append("run_completed", {}, runs[1])
    append("message_streamed", {"delta": f"{SECRET[20:]}\n"}, runs[0])
    found = imported(exported(backend, session_id), session_id)
    assert [event.data.get("delta") for event in found] == ["", "plain", None, f"{MARK}\n"]


def test_warnings_that_show_a_value_are_redacted(backend: asm.Backend, session_id: str, append: Any) -> None:
    append("acme.note", {}, metadata={"asm_warnings": [f"data['delta'] must be a text, not ['{SECRET}']."]})
    (event,) = imported(exported(backend, session_id), session_id)
    assert SECRET not in repr(event)


def test_equal_content_gives_equal_bytes_and_patterns_apply(backend: asm.Backend, session_id: str, append: Any) -> None:
    append("message_sent", {"role": "user", "content": "I am E-1234."})
    redactor = asm.Redactor(patterns=[("employee", r"E-\d{4}")])
    data = exported(backend, session_id, redactor)
    assert data == exported(backend, session_id, redactor)
    assert b"I am [REDACTED:employee]." in data


def test_the_redactor_must_be_one(backend: asm.Backend, session_id: str) -> None:
    with pytest.raises(asm.ValidationError, match="Redactor"):
        dump_session(backend, session_id, io.BytesIO(), redactor=True)  # type: ignore[arg-type]
