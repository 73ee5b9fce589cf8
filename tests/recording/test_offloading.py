"""Large values go to artifacts, and the conversation stays whole."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fakes import HookedRegistry, HookedStore, ScriptedProvider, log, only_session, types

import asm_core as asm
from asm_core import SessionManager
from asm_core.ports import ArtifactStore
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asm_core import Emit, SessionStore

PIXELS = bytes(range(256)) * 8
PNG = base64.b64encode(PIXELS).decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
URL = {"type": "image", "source": {"type": "url", "url": f"data:image/gif;base64,{PNG}"}}
FILE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "page " * 500}}
THOUGHT = {"type": "thinking", "thinking": "hm " * 900, "signature": PNG}
LONG = "line\n" * 400
ROWS = [{"row": number, "value": number / 7} for number in range(300)]
PROMPT = [{"role": "user", "content": [{"type": "text", "text": "words " * 300}, IMAGE, URL, FILE]}]
OVER = 1_000

TOOLS = {
    "read": lambda path, body: {"stdout": LONG, "exit_code": 0, "size": len(body), "path": path},
    "query": lambda: ROWS,
    "small": lambda: {"ok": True},
    "photo": lambda: [IMAGE],
}
CALLS = [("read", {"path": "/a", "body": LONG}), ("query", {}), ("small", {}), ("photo", {})]


everywhere = pytest.mark.parametrize("backend", ["memory", "sqlmodel", "peewee", "pony"], indirect=True)


@pytest.fixture(params=["memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    options = {} if request.param == "memory" else {"url": f"sqlite:///{tmp_path}/asm.db", "migrate": True}
    with asm.open_backend(request.param, **options) as opened:
        yield opened


@pytest.fixture
def place(tmp_path: Path) -> asm.DirectoryArtifactStore:
    return asm.DirectoryArtifactStore(tmp_path / "blobs")


@pytest.fixture
def artifacts(backend: asm.Backend, place: asm.DirectoryArtifactStore) -> asm.Artifacts:
    return backend.artifacts(place)


def provider() -> FakeProvider:
    return FakeProvider([FakeTurn(text="Wait.", tool_calls=CALLS), "Done.", "And more."], tools=TOOLS)


def conversed(store: SessionStore, found: FakeProvider, **options: Any) -> str:
    """Run two turns of a session with large values, and return its id."""
    manager = SessionManager(store, found, **options)
    session_id = manager.start_session().id
    manager.run(session_id, PROMPT)
    manager.run(session_id, "And then?")
    return session_id


def contents(messages: Any) -> list[Any]:
    """Return messages without what differs from run to run."""
    text = json.dumps([[message.role, message.content, message.is_error] for message in messages])
    calls = [message.tool_call_id for message in messages if message.role == "tool"]
    for number, call in enumerate(calls):
        text = text.replace(str(call), f"call {number}")
    found: list[Any] = json.loads(text)
    return found


def references(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    mine = [value["asm_artifact"]] if "asm_artifact" in value else []
    return mine + [found for item in value.values() for found in references(item)]


# -- what is stored, and what is read


@everywhere
def test_the_conversation_is_the_same_as_without_artifacts(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    store = backend.session_store
    plain, offloading = provider(), provider()
    whole = conversed(store, plain)
    split = conversed(store, offloading, artifacts=artifacts, offload_over=OVER)
    expected = contents(asm.read_messages(store, whole))
    assert contents(asm.read_messages(store, split, artifacts=artifacts)) == expected
    assert [contents(request) for request in offloading.requests] == [contents(request) for request in plain.requests]


@everywhere
def test_large_values_are_not_in_the_log_but_registered_for_the_session(
    backend: asm.Backend, artifacts: asm.Artifacts
) -> None:
    session_id = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    events = backend.session_store.get_events(session_id)
    found = {one["key"]: one for event in events for one in references(event.data)}
    registered = {one.key: one for one in backend.artifact_registry.list_by_session(session_id)}
    assert set(found) == set(registered)
    for key, reference in found.items():
        data = artifacts.get(key)
        assert reference["checksum_sha256"] == hashlib.sha256(data).hexdigest()
        assert reference["byte_size"] == registered[key].byte_size == len(data)
        assert registered[key].run_id in {run.id for run in backend.session_store.list_runs(session_id)}
    log_of_session = json.dumps([event.data for event in events])
    assert PNG not in log_of_session
    assert "line\\n" * 10 not in log_of_session
    kinds = {one["content_type"] for event in events for one in references(event.data)}
    assert kinds == {"image/png", "image/gif", "application/json", "text/plain; charset=utf-8"}


def test_small_values_beside_a_large_one_stay_in_the_event(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    session_id = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    done = backend.session_store.get_events(session_id, type="tool_call_completed")
    assert done[0].data["tool_output"]["exit_code"] == 0
    assert done[2].data["tool_output"] == {"ok": True}
    (sent,) = backend.session_store.get_events(session_id, type="message_sent", limit=1)
    assert sent.data["content"][0]["text"] == "words " * 300  # texts can be searched
    assert sent.data["content"][1]["source"]["media_type"] == "image/png"
    assert asm.resolve_references(sent.data, artifacts)["content"] == PROMPT[0]["content"]
    assert sent.metadata == {}


def test_the_input_of_the_run_has_the_same_references(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    session_id = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    run = backend.session_store.list_runs(session_id)[0]
    (sent,) = backend.session_store.get_events(session_id, type="message_sent", limit=1)
    assert run.input is not None
    assert run.input["messages"] == [sent.data]


def test_values_within_the_limit_stay(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    session_id = conversed(backend.session_store, provider(), artifacts=artifacts)
    assert backend.artifact_registry.list_by_session(session_id) == []


def test_equal_content_of_a_session_is_stored_once(
    backend: asm.Backend, artifacts: asm.Artifacts, place: asm.DirectoryArtifactStore
) -> None:
    manager = SessionManager(backend.session_store, FakeProvider(["a", "b"]), artifacts=artifacts, offload_over=OVER)
    session_id = manager.start_session().id
    for _ in range(2):
        manager.run(session_id, [{"role": "user", "content": [IMAGE, IMAGE]}])
    assert len(backend.artifact_registry.list_by_session(session_id)) == 1
    assert len(list(place.list_refs(older_than=timedelta()))) == 1


def test_thinking_stays_in_the_event(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    def script(_provider: Any, _run: Any, _session: Any, emit: Emit) -> None:
        emit("message_received", {"role": "assistant", "content": [THOUGHT, IMAGE]})

    SessionManager(backend.session_store, ScriptedProvider(script), artifacts=artifacts, offload_over=OVER).run_once({})
    (received,) = [event for event in log(backend.session_store) if event.type == "message_received"]
    assert received.data["content"][0] == THOUGHT
    assert references(received.data["content"][1])


def test_a_run_that_was_stored_before_is_executed_with_its_whole_input(
    backend: asm.Backend, artifacts: asm.Artifacts
) -> None:
    seen: list[Any] = []
    found = ScriptedProvider(lambda _provider, run, _session, emit: seen.extend([run.input, list(emit.transcript())]))
    manager = SessionManager(backend.session_store, found, artifacts=artifacts, offload_over=OVER)
    session_id = manager.start_session().id
    manager.activate_session(session_id)
    run = manager.start_run(session_id, PROMPT)
    assert PNG not in json.dumps(backend.session_store.get_run(run.id).input)
    manager.execute_run(run.id)
    assert seen[0] == {"messages": PROMPT}
    assert seen[1][0].content == PROMPT[0]["content"]
    assert PNG not in json.dumps(backend.session_store.get_run(run.id).input)


@everywhere
def test_a_session_of_its_own_keeps_its_order(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    seen: list[asm.Event] = []
    found = provider()
    manager = SessionManager(backend.session_store, found, artifacts=artifacts, offload_over=OVER)
    result = manager.run_once(PROMPT, on_event=seen.append)
    events = log(backend.session_store)
    assert [event.id for event in seen] == [event.id for event in events]
    assert types(events)[:4] == ["session_created", "session_started", "run_started", "message_sent"]
    assert only_session(backend.session_store).status == "completed"
    assert found.requests[0][0].content == PROMPT[0]["content"]
    assert result.output["content"] == "Done."


def test_a_transcript_is_updated_with_artifacts(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    store = backend.session_store
    session_id = conversed(store, provider(), artifacts=artifacts, offload_over=OVER)
    part = asm.read_messages(store, session_id, artifacts=artifacts)
    again = SessionManager(store, FakeProvider(["ok"]), artifacts=artifacts, offload_over=OVER)
    again.run(session_id, PROMPT)
    assert list(part.update(store)) == list(asm.read_messages(store, session_id, artifacts=artifacts))


def test_trimming_counts_the_values_and_not_the_references(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    store = backend.session_store
    whole = conversed(store, provider())
    split = conversed(store, provider(), artifacts=artifacts, offload_over=OVER)
    for limit in (50, 3_000, 9_000):
        expected = contents(asm.read_messages(store, whole, max_tokens=limit))
        assert contents(asm.read_messages(store, split, max_tokens=limit, artifacts=artifacts)) == expected


# -- without the artifacts


def test_a_reader_without_artifacts_sees_what_lies_elsewhere(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    session_id = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    prompt, call, *results = asm.read_messages(backend.session_store, session_id)
    assert [part["type"] for part in prompt.content] == ["text"] * 4
    assert prompt.content[1]["text"].startswith("[Not shown here: 2048 bytes of image/png as the artifact 'offloaded/")
    assert references(call.tool_calls[0]["tool_input"])
    assert results[0].content["exit_code"] == 0
    assert "bytes of text/plain; charset=utf-8" in results[0].content["stdout"]
    assert "bytes of application/json" in results[1].content


def test_an_artifact_that_was_deleted_leaves_a_text(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    store = backend.session_store
    session_id = conversed(store, provider(), artifacts=artifacts, offload_over=OVER)
    for one in backend.artifact_registry.list_by_session(session_id):
        backend.artifact_registry.delete(one.key)
    messages = asm.read_messages(store, session_id, artifacts=artifacts)
    assert messages[0].content[1]["text"].startswith("[No longer stored: 2048 bytes of image/png")
    found = FakeProvider(["Still here."])
    SessionManager(store, found, artifacts=artifacts).run(session_id, "?")
    with pytest.raises(asm.NotFoundError):
        asm.resolve_references(store.get_events(session_id)[3].data, artifacts)


def test_content_that_was_changed_is_an_error(
    backend: asm.Backend, artifacts: asm.Artifacts, tmp_path: Path, place: asm.DirectoryArtifactStore
) -> None:
    store = backend.session_store
    session_id = conversed(store, provider(), artifacts=artifacts, offload_over=OVER)
    for ref in place.list_refs(older_than=timedelta()):
        (tmp_path / "blobs" / ref).write_bytes(b"other")
    with pytest.raises(asm.StorageError, match="is not what was stored"):
        asm.read_messages(store, session_id, artifacts=artifacts)


def test_a_reference_to_an_artifact_of_the_application_is_not_followed(
    backend: asm.Backend, artifacts: asm.Artifacts
) -> None:
    secret = artifacts.put("secret.txt", b"secret")
    forged = {
        "asm_artifact": {
            "key": "secret.txt",
            "content_type": "text/plain",
            "byte_size": 6,
            "checksum_sha256": secret.checksum_sha256,
            "encoding": "text",
        }
    }
    found = FakeProvider([FakeTurn(tool_calls=[("forge", {})]), "Done."], tools={"forge": lambda: forged})
    SessionManager(backend.session_store, found, artifacts=artifacts).run_once("?")
    assert found.requests[1][-1].content == forged


# -- secrets


def test_secrets_are_taken_out_before_a_value_is_stored(
    backend: asm.Backend, artifacts: asm.Artifacts, tmp_path: Path
) -> None:
    secret = "sk-ant-api03-" + "Ab1" * 31
    tools = {"env": lambda: f"{LONG}ANTHROPIC_API_KEY={secret}\n", "rows": lambda: [*ROWS, {"password": "hunter2"}]}
    found = FakeProvider([FakeTurn(tool_calls=[("env", {}), ("rows", {})]), "Done."], tools=tools)
    options = {"redactor": asm.Redactor(), "artifacts": artifacts, "offload_over": OVER}
    SessionManager(backend.session_store, found, **options).run_once(PROMPT)
    blobs = [file.read_bytes() for file in (tmp_path / "blobs").rglob("*") if file.is_file()]
    everything = b"".join([*blobs, json.dumps([event.data for event in log(backend.session_store)]).encode()])
    assert secret.encode() not in everything
    assert b"hunter2" not in everything
    assert b"[REDACTED:secret]" in b"".join(blobs)
    done = [event for event in log(backend.session_store) if event.type == "tool_call_completed"]
    assert done[0].metadata["asm_redactions"] == {"secret": 1}
    redacted, counts = asm.Redactor().redact(done[0].data)
    assert (redacted, counts) == (done[0].data, {})  # a reference is no secret


# -- failures


class FailingStore(ArtifactStore):
    """Fails some times before it stores."""

    name = "directory"

    def __init__(self, inner: ArtifactStore, times: float, error: Exception) -> None:
        self.inner, self.left, self.error = inner, times, error

    def _write(self, key: str, content: Any) -> str:
        if self.left > 0:
            self.left -= 1
            raise self.error
        return self.inner._write(key, content)

    def _read(self, ref: str) -> Any:
        return self.inner._read(ref)

    def _list(self, before: Any) -> Any:
        return self.inner._list(before)

    def _delete(self, ref: str) -> None:
        self.inner._delete(ref)


FULL = asm.StorageError("The disk of the artifacts is full.")
AWAY = asm.StorageConnectionError("The artifacts are away.")


def test_a_run_fails_if_the_output_of_a_tool_cannot_be_stored(
    backend: asm.Backend, place: asm.DirectoryArtifactStore
) -> None:
    artifacts = backend.artifacts(FailingStore(place, 1e9, FULL))
    manager = SessionManager(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    session_id = manager.start_session().id
    with pytest.raises(asm.StorageError, match="The disk of the artifacts is full"):
        manager.run(session_id, "Read it.")
    (run,) = backend.session_store.list_runs(session_id)
    assert run.error is not None
    assert (run.status, run.error["code"]) == ("failed", "storage_error")
    events = backend.session_store.get_events(session_id)
    assert [one for event in events for one in references(event.data)] == []
    assert types(events)[-1] == "run_failed"
    assert backend.artifact_registry.list_by_session(session_id) == []


@everywhere
def test_nothing_of_a_run_is_stored_if_its_input_cannot_be(
    backend: asm.Backend, place: asm.DirectoryArtifactStore
) -> None:
    artifacts = backend.artifacts(FailingStore(place, 1e9, FULL))
    manager = SessionManager(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    with pytest.raises(asm.StorageError, match="The disk of the artifacts is full"):
        manager.run_once(PROMPT)
    assert backend.session_store.list_sessions() == []
    session_id = manager.start_session().id
    with pytest.raises(asm.StorageError, match="The disk of the artifacts is full"):
        manager.run(session_id, PROMPT)
    assert backend.session_store.list_runs(session_id) == []
    assert "run_started" not in types(backend.session_store.get_events(session_id))


def test_a_store_of_artifacts_that_is_away_for_a_moment_is_waited_for(
    backend: asm.Backend, place: asm.DirectoryArtifactStore
) -> None:
    artifacts = backend.artifacts(FailingStore(place, 2, AWAY))
    manager = SessionManager(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    session_id = manager.start_session().id
    assert manager.run(session_id, "Read it.").output["content"] == "Done."
    messages = asm.read_messages(backend.session_store, session_id, artifacts=artifacts)
    assert messages[2].content["stdout"] == LONG


def test_a_lost_answer_of_the_store_is_repeated_without_another_artifact(
    backend: asm.Backend, artifacts: asm.Artifacts, place: asm.DirectoryArtifactStore
) -> None:
    lost: list[int] = []

    class Losing(HookedStore):
        def _append(self, *args: Any) -> Any:
            stored = super()._append(*args)
            if "tool_call_completed" in types(args[0]) and not lost:
                lost.append(1)
                message = "The connection broke."
                raise asm.StorageConnectionError(message)
            return stored

    store = Losing(backend.session_store, lambda *_: None)
    found = FakeProvider([FakeTurn(tool_calls=[("query", {})]), "Done."], tools=TOOLS)
    manager = SessionManager(store, found, artifacts=artifacts, offload_over=OVER)
    assert manager.run_once("?").output["content"] == "Done."
    assert lost == [1]
    assert types(log(backend.session_store)).count("tool_call_completed") == 1
    assert len(list(place.list_refs(older_than=timedelta()))) == 1


def test_content_that_another_process_stores_meanwhile_is_used(
    backend: asm.Backend, artifacts: asm.Artifacts, place: asm.DirectoryArtifactStore
) -> None:
    class Slower(FailingStore):
        def _write(self, key: str, content: Any) -> str:
            ref = super()._write(key, content)
            if artifacts.find(key) is None:
                artifacts.put(key, place.get(ref), session_id=key.split("/")[1])
            return ref

    slower = backend.artifacts(Slower(place, 0, FULL))
    session_id = conversed(backend.session_store, provider(), artifacts=slower, offload_over=OVER)
    assert asm.read_messages(backend.session_store, session_id, artifacts=artifacts)[3].content == ROWS
    assert len(list(place.list_refs(older_than=timedelta()))) == 4


def test_a_lost_answer_of_the_registry_leaves_one_artifact(
    backend: asm.Backend, place: asm.DirectoryArtifactStore
) -> None:
    lost: list[int] = []

    class Losing(HookedRegistry):
        def _register(self, artifact: asm.Artifact) -> None:
            super()._register(artifact)
            if not lost:
                lost.append(1)
                message = "The connection broke."
                raise asm.StorageConnectionError(message)

    artifacts = asm.Artifacts(place, Losing(backend.artifact_registry, lambda *_: None))
    manager = SessionManager(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    session_id = manager.start_session().id
    assert manager.run(session_id, "Read it.").output["content"] == "Done."
    assert lost == [1]
    assert len(backend.artifact_registry.list_by_session(session_id)) == 3
    assert len(list(place.list_refs(older_than=timedelta()))) == 3


@pytest.mark.parametrize(
    "options", [{"artifacts": "a directory"}, {"offload_over": -1}, {"offload_over": "64k"}], ids=str
)
def test_an_option_that_makes_no_sense_is_refused(backend: asm.Backend, options: dict[str, Any]) -> None:
    with pytest.raises(asm.ValidationError):
        SessionManager(backend.session_store, provider(), **options)


# -- deletion


@everywhere
def test_the_artifacts_go_with_their_session(
    backend: asm.Backend, artifacts: asm.Artifacts, place: asm.DirectoryArtifactStore
) -> None:
    kept = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    gone = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    backend.session_store.delete_session(gone)
    backend.maintenance.clean_orphaned_artifacts()
    assert artifacts.remove_orphans(older_than=timedelta()) == 4
    assert backend.artifact_registry.list_by_session(gone) == []
    assert len(list(place.list_refs(older_than=timedelta()))) == 4
    messages = asm.read_messages(backend.session_store, kept, artifacts=artifacts)
    assert messages[0].content == PROMPT[0]["content"]


# -- elsewhere


def test_another_orm_continues_the_conversation(tmp_path: Path, place: asm.DirectoryArtifactStore) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    with asm.open_backend("sqlmodel", url=url, migrate=True) as one:
        session_id = conversed(one.session_store, provider(), artifacts=one.artifacts(place), offload_over=OVER)
    with asm.open_backend("pony", url=url) as other:
        found = FakeProvider(["I see."])
        SessionManager(other.session_store, found, artifacts=other.artifacts(place)).run(session_id, "What is it?")
        assert found.requests[0][0].content == PROMPT[0]["content"]
        assert found.requests[0][2].content["stdout"] == LONG


def test_a_bucket_keeps_the_values(backend: asm.Backend) -> None:
    artifacts = backend.artifacts(asm.FsspecArtifactStore("memory://offloaded"))
    session_id = conversed(backend.session_store, provider(), artifacts=artifacts, offload_over=OVER)
    messages = asm.read_messages(backend.session_store, session_id, artifacts=artifacts)
    assert messages[0].content == PROMPT[0]["content"]


def test_postgresql_keeps_the_references(postgresql_url: str, place: asm.DirectoryArtifactStore) -> None:
    with asm.open_backend("peewee", url=postgresql_url, migrate=True) as opened:
        artifacts = opened.artifacts(place)
        session_id = conversed(opened.session_store, provider(), artifacts=artifacts, offload_over=OVER)
        assert len(opened.artifact_registry.list_by_session(session_id)) == 4
        messages = asm.read_messages(opened.session_store, session_id, artifacts=artifacts)
        assert messages[3].content == ROWS


@pytest.mark.parametrize("kind", ["memory", "sqlmodel"])
def test_the_asynchronous_manager_has_the_same_options(
    kind: str, tmp_path: Path, place: asm.DirectoryArtifactStore
) -> None:
    found = provider()
    options: dict[str, Any] = {} if kind == "memory" else {"url": f"sqlite:///{tmp_path}/aio.db", "migrate": True}

    async def turns() -> list[asm.Artifact]:
        async with asm.aio.open_backend(kind, **options) as opened:
            artifacts = opened.artifacts(place)
            manager = asm.aio.SessionManager(opened.session_store, found, artifacts=artifacts, offload_over=OVER)
            session = await manager.start_session()
            await manager.run(session.id, PROMPT)
            await manager.run(session.id, "And then?")
            return await opened.artifact_registry.list_by_session(session.id)

    assert len(asyncio.run(turns())) == 4
    assert found.requests[-1][0].content == PROMPT[0]["content"]
