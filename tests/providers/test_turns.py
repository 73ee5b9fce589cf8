"""A turn of a conversation, by each provider: what is asked, streamed, recorded and counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model_server import Answer, ModelServer, anthropic, chat, responses, tool_use
from model_server import function_call as function
from vendors import KEY, REASONING, VENDORS, Client

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable

    from vendors import Vendor


HIDDEN = {"signature", "encrypted_content"}


def weather(city: str, days: int = 3) -> dict[str, Any]:
    """Return the weather."""
    return {"city": city, "days": days}


def test_text_is_streamed_and_then_recorded_as_one_message(vendor: Vendor, client: Callable[..., Client]) -> None:
    found = client(vendor.text("Good morning."))
    output = found.turn("hello")
    assert output["content"] == "Good morning."
    deltas = [event.data["delta"] for event in found.events("message_streamed")]
    assert len(deltas) > 1
    assert "".join(deltas) == "Good morning."
    (message,) = found.events("message_received")
    assert (message.data["role"], message.data["content"]) == ("assistant", "Good morning.")
    assert message.data["stop_reason"] == output["stop_reason"]
    assert found.run.status == "completed"


def test_usage_model_and_turns_are_those_of_the_vendor(vendor: Vendor, client: Callable[..., Client]) -> None:
    found = client(vendor.text("Good morning."))
    found.turn("hello")
    run = found.run
    assert {name: run.token_usage[name] for name in vendor.usage} == vendor.usage
    assert (run.model or "").endswith("-test-1")
    assert run.turn_count == 1
    (turn,) = found.events("turn_completed")
    assert turn.data["model"] == run.model


def test_the_cost_follows_a_price_table(vendor: Vendor, client: Callable[..., Client]) -> None:
    price = asm.TokenPrice(input=1, output=10, cache_read="0.5")
    model = "claude-test-1" if vendor.name == "anthropic" else "gpt-test-1"
    name = "anthropic" if vendor.name == "anthropic" else "openai"
    found = client(vendor.text("Good morning."), manager={"pricing_table": {name: {model: price}}})
    found.turn("hello")
    # 6 new tokens, 4 cached ones, 5 of output
    assert float(found.run.cost_usd or 0) == (6 * 1 + 4 * 0.5 + 5 * 10) / 1e6


def test_options_and_the_system_prompt_are_passed_on(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.text("ok"), system="Be brief.", temperature=0.25, max_tokens=77)
    found.turn("hello")
    (request,) = server.requests
    assert request.body["temperature"] == 0.25
    assert 77 in request.body.values()
    assert "Be brief." in json.dumps(request.body)
    assert request.body["stream"] is True
    assert KEY in {request.headers.get("x-api-key"), request.headers.get("authorization", "").removeprefix("Bearer ")}


def test_the_key_is_not_recorded(vendor: Vendor, client: Callable[..., Client], backend: asm.Backend) -> None:
    found = client(vendor.error(401, "authentication_error", f"Your key {KEY} is wrong."), vendor.text("ok"))
    assert "Your key … is wrong." in found.fail("hello").message
    found.turn("hello")
    assert KEY not in json.dumps(backend.query_api.export_session(found.session_id).to_dict())


def test_tools_are_called_until_the_model_answers(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.call("weather", {"city": "Rome"}), vendor.text("Sunny."), tools=[weather])
    assert found.turn("Rome?")["content"] == "Sunny."
    assert [json.loads(one) for one in vendor.results(server.requests[1].body)] == [{"city": "Rome", "days": 3}]
    started, completed = found.events("tool_call_started", "tool_call_completed")
    assert started.data["tool_input"] == {"city": "Rome"}
    assert completed.data["tool_output"] == {"city": "Rome", "days": 3}
    assert started.data["tool_call_id"] == completed.data["tool_call_id"]
    assert found.run.turn_count == 2
    assert found.run.token_usage["output_tokens"] == 10


def test_the_next_turn_gets_the_conversation_so_far(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    script = (vendor.call("weather", {"city": "Rome"}), vendor.text("Sunny."), vendor.text("You asked for Rome."))
    found = client(*script, tools=[weather])
    found.turn("Rome?")
    found.turn("What did I ask for?")
    body = json.dumps(server.requests[2].body)
    places = [body.index(text) for text in ("Rome?", "Wait.", "weather", "Sunny.", "What did I ask for?")]
    assert places == sorted(places)
    assert len(vendor.results(server.requests[2].body)) == 1


def test_reasoning_is_given_back_unchanged(vendor: Vendor, client: Callable[..., Client], server: ModelServer) -> None:
    if vendor.name == "chat":
        part = {"reasoning_content": "Let me think."}
        first: Any = chat("", function("weather", {"city": "Rome"}), **part)
    else:
        part = REASONING[vendor.name]
        call = tool_use("weather", {"city": "Rome"}), function("weather", {"city": "Rome"})
        first = anthropic(part, call[0]) if vendor.name == "anthropic" else responses(part, call[1])
    found = client(first, vendor.text("Sunny."), vendor.text("Again."), tools=[weather])
    found.turn("Rome?")
    found.turn("again")
    for request in server.requests[1:]:
        listed = request.body["input"] if vendor.name == "responses" else request.body["messages"]
        blocks = [block for one in listed if isinstance(one.get("content"), list) for block in one["content"]]
        assert any(part.items() <= one.items() for one in [*listed, *blocks])


def test_reasoning_of_another_vendor_is_left_out(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.text("ok"))
    foreign = [part for name, part in REASONING.items() if name != vendor.name]
    content = [*foreign, {"type": "text", "text": "Before."}]
    before = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": content}]
    found.turn([*before, {"role": "user", "content": "now"}])
    body = json.dumps(server.requests[0].body)
    assert "Before." in body
    assert not any(str(value) in body for part in foreign for name, value in part.items() if name in HIDDEN)


def test_a_paused_turn_goes_on(backend: asm.Backend, server: ModelServer) -> None:
    server.script.extend([anthropic("One, ", stop_reason="pause_turn"), anthropic("two.")])
    found = Client(backend, VENDORS[0].provider(server))
    assert found.turn("count")["content"] == "two."
    assert len(found.events("message_received")) == 2


def test_a_vendors_own_tool_is_passed_on(vendor: Vendor, client: Callable[..., Client], server: ModelServer) -> None:
    own = {"type": "web_search_20250305", "name": "web_search"}
    found = client(vendor.text("ok"), tools=[weather, own])
    found.turn("hello")
    described, passed = server.requests[0].body["tools"]
    assert passed == own
    assert "weather" in json.dumps(described)


def test_requests_are_not_repeated_by_the_sdk(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.error(529, "overloaded_error"), vendor.text("late"))
    error = found.fail("hello")
    assert error.code == "provider_unavailable"
    assert len(server.requests) == 1
    assert isinstance(server.script[0], tuple)
    assert not isinstance(server.script[0], Answer)
