"""The spans of runs and tools."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import asm_core as asm
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from spans import Spans

PRIVATE = "the secret of the user"


def weather(city: str) -> str:
    trace.get_current_span().add_event(f"looked at {city}")
    return "sunny"


def broken() -> None:
    raise LookupError(PRIVATE)


TOOLS = {"weather": weather, "broken": broken}


def manager(backend: asm.Backend, spans: Spans, *turns: Any, **options: Any) -> asm.SessionManager:
    provider = FakeProvider(turns, tools=TOOLS)
    return asm.SessionManager(backend.session_store, provider, tracing=spans.tracing, **options)


def test_a_run_is_below_the_span_of_the_application_and_tools_are_below_the_run(
    backend: asm.Backend, spans: Spans
) -> None:
    turns = (FakeTurn(tool_calls=[("weather", {"city": "Rome"})]), "Sunny.")
    with spans.application.start_as_current_span("request"):
        manager(backend, spans, *turns).run_once("Rome?", agent_id="assistant")
    assert spans.names == ["request", "invoke_agent assistant", "execute_tool weather"]
    assert spans.parents() == {
        "request": None,
        "invoke_agent assistant": "request",
        "execute_tool weather": "invoke_agent assistant",
    }


def test_without_a_span_of_the_application_a_run_begins_a_trace(backend: asm.Backend, spans: Spans) -> None:
    manager(backend, spans, "Hi!").run_once("?")
    assert spans.parents() == {"invoke_agent fake": None}


def test_attributes_of_a_run(backend: asm.Backend, spans: Spans) -> None:
    usage = {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 5}
    prices = {"fake": {"fake-model": asm.TokenPrice(input=1, output=10)}}
    result = manager(backend, spans, FakeTurn(text="Hi!", usage=usage), pricing_table=prices).run_once("?")
    assert spans.attributes("invoke_agent fake") == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "fake",
        "gen_ai.agent.id": "fake",
        "gen_ai.agent.name": "fake",
        "gen_ai.conversation.id": result.session_id,
        "gen_ai.response.model": "fake-model",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.output_tokens": 5,
        "asm.run.id": result.run_id,
        "asm.run.status": "completed",
        "asm.cost_usd": pytest.approx(60e-6),
    }
    span = spans.one("invoke_agent fake")
    assert (span.kind, span.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)


def test_attributes_of_a_tool_and_spans_in_it(backend: asm.Backend, spans: Spans) -> None:
    turn = FakeTurn(tool_calls=[("weather", {"city": "Rome"})])
    result = manager(backend, spans, turn, "Sunny.").run_once("Rome?")
    (called,) = (event.data for event in result.events if event.type == "tool_call_started")
    assert spans.attributes("execute_tool weather") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.call.id": called["tool_call_id"],
        "gen_ai.tool.type": "function",
        "gen_ai.conversation.id": result.session_id,
    }
    assert [event.name for event in spans.one("execute_tool weather").events] == ["looked at Rome"]


def test_an_error_of_a_tool_has_its_class(backend: asm.Backend, spans: Spans) -> None:
    manager(backend, spans, FakeTurn(tool_calls=[("broken", {})]), "Sorry.").run_once("?")
    assert spans.attributes("execute_tool broken")["error.type"] == "LookupError"
    assert spans.one("execute_tool broken").status.status_code is StatusCode.ERROR
    assert spans.one("invoke_agent fake").status.status_code is StatusCode.UNSET


def test_a_tool_that_fails_by_an_event_alone_has_an_error(backend: asm.Backend, spans: Spans) -> None:
    manager(backend, spans, FakeTurn(tool_calls=[("unknown", {})]), "Sorry.").run_once("?")
    assert spans.attributes("execute_tool unknown")["error.type"] == "tool_error"


def test_a_denied_tool_has_no_span(backend: asm.Backend, spans: Spans) -> None:
    turns = (FakeTurn(tool_calls=[("weather", {"city": "Rome"})]), "Sorry.")
    manager(backend, spans, *turns, policies=[asm.ToolPolicy(denied=["weather"])]).run_once("?")
    assert spans.names == ["invoke_agent fake"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asm.ProviderRateLimitedError(PRIVATE), "provider_rate_limited"),
        (ZeroDivisionError(PRIVATE), "ZeroDivisionError"),
    ],
)
def test_a_failed_run_has_the_kind_of_its_error(
    backend: asm.Backend, spans: Spans, error: Exception, kind: str
) -> None:
    with pytest.raises(type(error)):
        manager(backend, spans, error).run_once("?")
    found = spans.attributes("invoke_agent fake")
    assert (found["error.type"], found["asm.run.status"]) == (kind, "failed")
    assert spans.one("invoke_agent fake").status.status_code is StatusCode.ERROR


def test_a_timeout_is_an_error(backend: asm.Backend, spans: Spans) -> None:
    with pytest.raises(asm.ProviderError):
        manager(backend, spans, FakeTurn(text="one two", delay=20)).run_once("?", timeout=0.05)
    found = spans.attributes("invoke_agent fake")
    assert (found["error.type"], found["asm.run.status"]) == ("timeout", "timeout")


def test_a_violated_policy_is_an_error(backend: asm.Backend, spans: Spans) -> None:
    turn = FakeTurn(tool_calls=[("weather", {"city": "Rome"})])
    with pytest.raises(asm.PolicyViolationError):
        manager(backend, spans, turn, policies=[asm.ToolPolicy(denied=["weather"], action="cancel")]).run_once("?")
    assert spans.attributes("invoke_agent fake")["error.type"] == "policy_violation"


def test_a_cancelled_run_is_no_error_and_ends_its_tools(backend: asm.Backend, spans: Spans) -> None:
    running, released = threading.Event(), threading.Event()

    def slow() -> None:
        running.set()
        assert released.wait(30)

    provider = FakeProvider([FakeTurn(tool_calls=[("slow", {})]), "late"], tools={"slow": slow})
    found = asm.SessionManager(backend.session_store, provider, tracing=spans.tracing)
    with found.stream(found.start_session().id, "?") as stream:
        run_id = next(stream).run_id or ""
        assert running.wait(30)
        found.cancel_run(run_id)
        released.set()
        with pytest.raises(asm.ProviderError):
            list(stream)
    run = spans.one("invoke_agent fake")
    assert run.status.status_code is StatusCode.UNSET
    assert spans.attributes("invoke_agent fake")["asm.run.status"] == "cancelled"
    assert spans.attributes("invoke_agent fake")["asm.cancelled"] is True
    assert "execute_tool slow" in spans.names


def test_a_stream_is_below_the_span_that_began_it(backend: asm.Backend, spans: Spans) -> None:
    found = manager(backend, spans, "Hi!")
    session_id = found.start_session().id
    with spans.application.start_as_current_span("request"), found.stream(session_id, "?") as stream:
        list(stream)
    assert spans.parents()["invoke_agent fake"] == "request"


def test_an_agent_called_by_a_tool_is_below_the_tool(backend: asm.Backend, spans: Spans) -> None:
    inner = manager(backend, spans, "42")
    tools = {"ask": lambda: inner.run_once("?", agent_id="expert").output["content"]}
    provider = FakeProvider([FakeTurn(tool_calls=[("ask", {})]), "It is 42."], tools=tools)
    asm.SessionManager(backend.session_store, provider, tracing=spans.tracing).run_once("?", agent_id="chief")
    assert spans.parents() == {
        "invoke_agent chief": None,
        "execute_tool ask": "invoke_agent chief",
        "invoke_agent expert": "execute_tool ask",
    }


def test_runs_of_asyncio_tasks_are_each_below_their_own_span(backend: asm.Backend, spans: Spans) -> None:
    async def request(found: asm.aio.SessionManager, number: int) -> None:
        with spans.application.start_as_current_span(f"request {number}"):
            await found.run_once("?", agent_id=f"agent {number}")

    async def main() -> None:
        opened = asm.aio.wrap(backend)
        provider = FakeProvider(["Hi!"] * 3)
        found = asm.aio.SessionManager(opened.session_store, provider, tracing=spans.tracing)
        async with opened:
            await asyncio.gather(*(request(found, number) for number in range(3)))

    asyncio.run(main())
    found = spans.parents()
    assert {f"invoke_agent agent {number}": f"request {number}" for number in range(3)}.items() <= found.items()


def test_spans_have_no_content(backend: asm.Backend, spans: Spans) -> None:
    turns = (FakeTurn(text=PRIVATE, tool_calls=[("broken", {})]), asm.ProviderError(PRIVATE))
    with pytest.raises(asm.ProviderError):
        manager(backend, spans, *turns).run_once(PRIVATE)
    assert len(spans.ended) == 2
    assert not [span for span in spans.ended if PRIVATE in span.to_json()]


def test_a_run_whose_end_cannot_be_stored_has_an_ended_span(backend: asm.Backend, spans: Spans) -> None:
    store = backend.session_store

    def end() -> None:
        (run,) = store.list_runs(session_id)
        store.update_run(run.id, lambda run: run.with_status("failed"))

    provider = FakeProvider([FakeTurn(tool_calls=[("end", {})]), "Done."], tools={"end": end})
    found = asm.SessionManager(store, provider, tracing=spans.tracing)
    session_id = found.start_session().id
    with pytest.raises(asm.InvalidTransitionError):
        found.run(session_id, "?")
    assert spans.attributes("invoke_agent fake")["error.type"] == "invalid_transition"


def test_the_option_takes_a_tracing_only(backend: asm.Backend) -> None:
    with pytest.raises(asm.ValidationError, match="Tracing"):
        asm.SessionManager(backend.session_store, FakeProvider([]), tracing=True)  # type: ignore[arg-type]
