"""The spans of the calls of models, by each provider."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from spans import Spans
from vendors import KEY

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer
    from vendors import Client, Vendor


def weather(city: str) -> str:
    """Return the weather."""
    trace.get_current_span().add_event("called")
    return f"sunny in {city}"


async def forecast(city: str) -> str:
    """Return the forecast."""
    trace.get_current_span().add_event("called")
    raise LookupError(city)


@pytest.fixture
def spans() -> Spans:
    return Spans()


def model_of(vendor: Vendor) -> str:
    return "claude-test-1" if vendor.name == "anthropic" else "gpt-test-1"


def test_a_call_of_a_model_has_the_attributes_of_the_conventions(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer, spans: Spans
) -> None:
    found = client(vendor.text("Good morning."), manager={"tracing": spans.tracing}, temperature=1, max_tokens=77)
    found.turn("hello")
    span = spans.attributes(f"chat {model_of(vendor)}")
    assert span.pop("gen_ai.response.id")
    (message,) = found.events("message_received")
    url = urlsplit(server.url)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": found.run.provider,
        "gen_ai.conversation.id": found.session_id,
        "gen_ai.request.model": model_of(vendor),
        "gen_ai.request.max_tokens": 77,
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.stream": True,
        "gen_ai.response.model": found.run.model,
        "gen_ai.response.finish_reasons": (message.data["stop_reason"],),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.output_tokens": 5,
        "server.address": url.hostname,
        "server.port": url.port,
    }
    if vendor.name != "anthropic":
        expected["gen_ai.usage.reasoning.output_tokens"] = 2
    assert {name: span[name] for name in expected} == expected
    assert span.keys() - expected <= {"gen_ai.usage.cache_creation.input_tokens"}
    assert spans.one(f"chat {model_of(vendor)}").kind is SpanKind.CLIENT


def test_models_and_tools_are_below_the_run(vendor: Vendor, client: Callable[..., Client], spans: Spans) -> None:
    script = (vendor.call("weather", {"city": "Rome"}), vendor.call("forecast", {"city": "Rome"}), vendor.text("Sun."))
    found = client(*script, tools=[weather, forecast], manager={"tracing": spans.tracing})
    with spans.application.start_as_current_span("request"):
        found.turn("Rome?")
    chat = f"chat {model_of(vendor)}"
    agent = "invoke_agent assistant"
    assert spans.names == ["request", agent, chat, "execute_tool weather", chat, "execute_tool forecast", chat]
    assert spans.parents() == {
        "request": None,
        agent: "request",
        chat: agent,
        "execute_tool weather": agent,
        "execute_tool forecast": agent,
    }
    for name in ("weather", "forecast"):
        assert [event.name for event in spans.one(f"execute_tool {name}").events] == ["called"]
    assert spans.attributes("execute_tool forecast")["error.type"] == "LookupError"
    assert spans.attributes(agent)["gen_ai.usage.output_tokens"] == 15


def test_an_error_of_a_model_has_its_code_and_no_message(
    vendor: Vendor, client: Callable[..., Client], spans: Spans
) -> None:
    found = client(vendor.error(401, "authentication_error", f"Your key {KEY} is wrong."), manager=traced(spans))
    found.fail("hello")
    for name in (f"chat {model_of(vendor)}", "invoke_agent assistant"):
        span = spans.one(name)
        assert span.status.status_code is StatusCode.ERROR
        assert spans.attributes(name)["error.type"] == "provider_authentication_failed"
        assert "wrong" not in span.to_json()


def test_a_refusal_of_the_content_filter_is_an_error_of_the_call(
    vendor: Vendor, client: Callable[..., Client], spans: Spans
) -> None:
    client(vendor.filtered, manager=traced(spans)).fail("hello")
    found = spans.attributes(f"chat {model_of(vendor)}")
    assert found["error.type"] == "provider_content_filtered"
    assert found["gen_ai.usage.output_tokens"] == 5


def test_each_try_has_a_span(vendor: Vendor, client: Callable[..., Client], spans: Spans) -> None:
    retry = asm.RetryPolicy(attempts=2, initial=0)
    found = client(vendor.error(429, "rate_limit_error"), vendor.text("ok"), manager={**traced(spans), "retry": retry})
    found.turn("hello")
    calls = [span for span in spans.ended if span.name.startswith("chat")]
    assert [span.status.status_code for span in calls] == [StatusCode.ERROR, StatusCode.UNSET]
    assert spans.one("invoke_agent assistant").status.status_code is StatusCode.UNSET


def test_a_cancelled_call_is_no_error(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer, spans: Spans
) -> None:
    found = client(vendor.text("Good morning.", end="hang"), manager=traced(spans))
    with found.manager.stream(found.session_id, "hello") as stream:
        next(event for event in stream if event.type == "message_streamed")
    assert server.abandoned.wait(30)
    for name in (f"chat {model_of(vendor)}", "invoke_agent assistant"):
        assert spans.attributes(name)["asm.cancelled"] is True
        assert spans.one(name).status.status_code is StatusCode.UNSET


def test_asynchronous_runs_are_below_the_span_of_their_task(
    vendor: Vendor, server: ModelServer, backend: asm.Backend, spans: Spans
) -> None:
    server.script.extend([vendor.call("weather", {"city": "Rome"}), vendor.text("Sunny.")])
    provider = vendor.provider(server, tools=[weather])

    async def main() -> None:
        async with asm.aio.wrap(spans.tracing.backend(backend)) as opened:
            manager = asm.aio.SessionManager(opened.session_store, provider, tracing=spans.tracing)
            with spans.application.start_as_current_span("request"):
                await manager.run_once("Rome?", agent_id="assistant")

    asyncio.run(main())
    parents = spans.parents()
    agent = "invoke_agent assistant"
    assert parents[agent] == "request"
    assert {parents[f"chat {model_of(vendor)}"], parents["execute_tool weather"], parents["get_events"]} == {agent}
    assert [name for name, above in parents.items() if above is None] == ["request"]


def traced(spans: Spans) -> dict[str, Any]:
    return {"tracing": spans.tracing}
