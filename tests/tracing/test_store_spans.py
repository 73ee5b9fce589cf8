"""The spans of calls of a store."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import SpanKind, StatusCode

import asm_core as asm
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from spans import Spans


@pytest.fixture
def traced(backend: asm.Backend, spans: Spans) -> asm.Backend:
    return spans.tracing.backend(backend)


def message(session_id: str) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session_id, data={"role": "user", "content": "secret"})


def test_a_call_is_below_the_current_span(traced: asm.Backend, spans: Spans) -> None:
    with spans.application.start_as_current_span("request"):
        traced.session_store.save_session(asm.Session.new(agent_id="assistant"))
    assert spans.parents() == {"request": None, "save_session": "request"}
    assert spans.one("save_session").kind is SpanKind.CLIENT


def test_attributes_of_a_call(traced: asm.Backend, spans: Spans) -> None:
    store = traced.session_store
    session = store.save_session(asm.Session.new(agent_id="assistant"))
    store.append_events([message(session.id), message(session.id)])
    store.get_events(session.id)
    system = "memory" if traced.name == "memory" else "sqlite"
    shared = {"db.system.name": system}
    about = {**shared, "gen_ai.conversation.id": session.id}
    assert spans.attributes("save_session") == {**about, "db.operation.name": "save_session"}
    assert spans.attributes("append_events") == {
        **shared,
        "db.operation.name": "append_events",
        "db.operation.batch.size": 2,
        "db.response.returned_rows": 2,
    }
    assert spans.attributes("get_events") == {
        **about,
        "db.operation.name": "get_events",
        "db.response.returned_rows": 2,
    }


def test_an_error_of_a_call_has_its_code(traced: asm.Backend, spans: Spans) -> None:
    with pytest.raises(asm.SessionNotFoundError):
        traced.session_store.get_session("ses_unknown")
    assert spans.attributes("get_session")["error.type"] == "session_not_found"
    assert spans.one("get_session").status.status_code is StatusCode.ERROR
    with pytest.raises(asm.ValidationError):
        traced.session_store.append_event("no event")  # type: ignore[arg-type]
    assert spans.attributes("append_event")["error.type"] == "validation_error"


def test_calls_in_a_transaction_are_traced_and_roll_back(traced: asm.Backend, spans: Spans) -> None:
    session = asm.Session.new(agent_id="assistant")

    def write(ports: asm.Ports) -> None:
        ports.session_store.save_session(session)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), traced.transaction() as ports:
        write(ports)
    assert spans.names == ["save_session"]
    with pytest.raises(asm.SessionNotFoundError):
        traced.session_store.get_session(session.id)


def test_a_traced_backend_is_a_backend(traced: asm.Backend, backend: asm.Backend) -> None:
    assert isinstance(traced, asm.Backend)
    assert isinstance(traced.session_store, asm.SessionStore)
    assert traced.capabilities == backend.capabilities
    with traced as entered:
        assert entered is traced
    session = asm.Session.new(agent_id="assistant")
    if traced.name != "memory":  # it is closed
        with pytest.raises(asm.StorageError):
            traced.session_store.save_session(session)


def test_searches_and_maintenance_are_traced(traced: asm.Backend, spans: Spans) -> None:
    traced.query_api.search_sessions(agent_id="assistant")
    traced.maintenance.health_check()
    traced.artifact_registry.get_by_key("key")
    traced.state_store.get("namespace", "key")
    assert spans.names == ["search_sessions", "health_check", "get_by_key", "get"]


def test_following_has_no_span(traced: asm.Backend, spans: Spans) -> None:
    session = traced.session_store.save_session(asm.Session.new(agent_id="assistant"))
    traced.session_store.append_event(message(session.id))
    spans.clear()
    assert len(list(traced.session_store.follow_events(session.id, idle_timeout=0))) == 1
    assert spans.names == []


def test_the_calls_of_a_run_are_below_it_and_the_supervisor_has_none(traced: asm.Backend, spans: Spans) -> None:
    words = FakeTurn(text="one two three four", delay=0.06)  # the supervisor checks meanwhile
    found = asm.SessionManager(traced.session_store, FakeProvider([words]), tracing=spans.tracing)
    with spans.application.start_as_current_span("request"):
        found.run_once("?")
    parents = spans.parents()
    assert parents.pop("request") is None
    assert None not in parents.values()
    assert parents["append_events"] == "invoke_agent fake"
    assert parents["get_events"] == "invoke_agent fake"


def test_calls_of_asyncio_are_below_the_span_of_their_task(traced: asm.Backend, spans: Spans) -> None:
    async def work(backend: asm.aio.Backend, number: int) -> None:
        with spans.application.start_as_current_span(f"request {number}"):
            session = await backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
            await backend.session_store.append_event(message(session.id))

    async def main() -> None:
        async with asm.aio.wrap(traced) as opened:
            await asyncio.gather(*(work(opened, number) for number in range(3)))
            async with opened.transaction() as ports:
                await ports.session_store.list_sessions()

    asyncio.run(main())
    of = {span.context.span_id: span.name for span in spans.ended}
    parents = [of[span.parent.span_id] for span in spans.ended if span.parent]
    assert sorted(parents) == sorted(f"request {number}" for number in range(3) for _ in range(2))
    assert spans.parents()["list_sessions"] is None


def test_a_read_that_waits_takes_no_thread(traced: asm.Backend) -> None:
    async def main() -> None:
        async with asm.aio.wrap(traced) as opened:
            session = await opened.session_store.save_session(asm.Session.new(agent_id="assistant"))
            read = opened.session_store.get_events
            waiting = [asyncio.create_task(read(session.id, wait_timeout=30)) for _ in range(20)]
            await asyncio.sleep(0)
            await opened.session_store.append_event(message(session.id))
            found = await asyncio.gather(*waiting)
            assert [len(events) for events in found] == [1] * 20

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 20


def test_a_backend_is_traced_once(traced: asm.Backend, spans: Spans) -> None:
    for wrong in (traced, asm.aio.wrap(traced), "sqlmodel"):
        with pytest.raises(asm.ValidationError, match="that is not traced"):
            spans.tracing.backend(wrong)
