"""Each kind of an error of a provider, a stream that is cut, and a run that is cancelled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from model_server import LIMIT, ModelServer, Stream
from vendors import KEY, Client

import asm_core as asm
from asm_core.testing import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from vendors import Vendor

KINDS = [
    (400, "invalid_request_error", "no", "provider_invalid_request"),
    (401, "authentication_error", "no", "provider_authentication_failed"),
    (402, "billing_error", "no", "provider_quota_exceeded"),
    (403, "permission_error", "no", "provider_authentication_failed"),
    (404, "not_found_error", "no", "provider_invalid_request"),
    (408, "timeout_error", "no", "provider_timeout"),
    (413, "request_too_large", "no", "provider_invalid_request"),
    (429, "rate_limit_error", "no", "provider_rate_limited"),
    (500, "api_error", "no", "provider_unavailable"),
    (503, "api_error", "no", "provider_unavailable"),
    (529, "overloaded_error", "no", "provider_unavailable"),
]
OF_ANTHROPIC = [
    (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "provider_context_length_exceeded"),
    (400, "invalid_request_error", "Your credit balance is too low", "provider_quota_exceeded"),
]
OF_OPENAI = [
    (400, "context_length_exceeded", "no", "provider_context_length_exceeded"),
    (400, "invalid_request_error", "exceeds the available context size", "provider_context_length_exceeded"),
    (400, "content_filter", "no", "provider_content_filtered"),
    (429, "insufficient_quota", "no", "provider_quota_exceeded"),
    (429, "rate_limit_exceeded", "no", "provider_rate_limited"),
]


@pytest.mark.parametrize("case", KINDS, ids=lambda case: f"{case[0]}-{case[1]}")
def test_an_error_answer_has_its_kind(
    vendor: Vendor, client: Callable[..., Client], case: tuple[int, str, str, str]
) -> None:
    status, reason, message, code = case
    found = client(vendor.error(status, reason, message))
    error = found.fail("hello")
    assert error.code == code
    assert message in error.message
    assert error.details["status"] == status
    assert (found.run.status, (found.run.error or {})["code"]) == ("failed", code)
    retryable = {"provider_timeout", "provider_rate_limited", "provider_unavailable"}
    assert error.retryable is (code in retryable)


def test_a_vendors_reasons_have_their_kinds(vendor: Vendor, client: Callable[..., Client]) -> None:
    cases = OF_ANTHROPIC if vendor.name == "anthropic" else OF_OPENAI
    found = client(*(vendor.error(status, reason, message) for status, reason, message, _ in cases))
    assert [found.fail("hello").code for _ in cases] == [code for _, _, _, code in cases]


def test_the_time_of_the_next_try_is_in_the_error(vendor: Vendor, client: Callable[..., Client]) -> None:
    error = client(vendor.error(429, "rate_limit_error", **{"retry-after": "7"})).fail("hello")
    assert error.retry_after == 7.0


def test_an_error_within_the_stream_has_its_kind(vendor: Vendor, client: Callable[..., Client]) -> None:
    found = client(vendor.error_in_stream)
    error = found.fail("hello")
    assert error.code == "provider_unavailable"
    assert "busy" in error.message


def test_a_content_filter_ends_the_run_and_keeps_what_came(vendor: Vendor, client: Callable[..., Client]) -> None:
    found = client(vendor.filtered)
    assert found.fail("hello").code == "provider_content_filtered"
    (message,) = found.events("message_received")
    assert message.data["content"] == "no"
    assert found.run.token_usage["output_tokens"] == 5


@pytest.mark.parametrize("end", ["cut", "end"])
def test_a_stream_that_breaks_off_is_retryable_and_keeps_what_came(
    vendor: Vendor, client: Callable[..., Client], end: str
) -> None:
    begun = Stream(vendor.text("Good morning.", end="cut").events, end)
    found = client(begun)
    error = found.fail("hello")
    assert (error.code, error.retryable) == ("provider_unavailable", True)
    assert "".join(event.data["delta"] for event in found.events("message_streamed")) == "Good morning."
    assert not found.events("message_received")


def test_a_stream_of_another_shape_is_an_error_of_the_provider(client: Callable[..., Client]) -> None:
    nonsense: list[tuple[str, Any]] = [
        ("message_start", {"type": "message_start", "message": 5}),
        ("response.created", {"type": "response.created", "response": 5, "choices": 5}),
    ]
    assert client(Stream(nonsense)).fail("hello").code == "provider_unavailable"


def test_a_server_that_is_silent_is_a_timeout(vendor: Vendor, client: Callable[..., Client]) -> None:
    assert client(vendor.text("Good", end="hang"), timeout=0.3).fail("hello").code == "provider_timeout"


def test_a_server_that_is_not_there_is_unavailable(vendor: Vendor, backend: asm.Backend) -> None:
    with ModelServer() as gone:
        provider = vendor.provider(gone)
    assert Client(backend, provider).fail("hello").code == "provider_unavailable"


def test_without_a_key_the_message_names_the_variable(vendor: Vendor, client: Callable[..., Client]) -> None:
    found = client()
    name = "anthropic" if vendor.name == "anthropic" else "openai"
    options = {"api": "chat"} if vendor.name == "chat" else {}
    found.manager = asm.SessionManager(found.store, asm.open_provider(name, model="m", **options))  # type: ignore[arg-type]
    error = found.fail("hello")
    assert error.code == "provider_authentication_failed"
    assert "_API_KEY" in error.message


def test_a_cancelled_run_closes_the_stream_and_keeps_what_came(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.text("Good morning.", end="hang"))
    streamed = threading.Event()
    caught: list[BaseException] = []

    def hear(event: asm.Event) -> None:
        if event.type == "message_streamed" and event.data["delta"].endswith("."):
            streamed.set()

    def turn() -> None:
        try:
            found.turn("hello", on_event=hear)
        except BaseException as error:  # noqa: BLE001  looked at below
            caught.append(error)

    thread = threading.Thread(target=turn)
    thread.start()
    assert streamed.wait(LIMIT)
    found.manager.cancel_run(found.run.id)
    assert server.abandoned.wait(LIMIT)
    thread.join(LIMIT)
    assert found.run.status == "cancelled"
    assert isinstance(caught[0], asm.ProviderError)
    assert caught[0].details["cancelled"] is True
    last = asm.read_messages(found.store, found.session_id).messages[-1]
    assert (last.text, last.interrupted) == ("Good morning.", True)
    assert found.run.token_usage.get("input_tokens", 0) == (10 if vendor.name == "anthropic" else 0)


def test_the_next_turn_after_a_cancelled_one_has_what_came(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.text("Good morning.", end="cut"), vendor.text("Again."))
    found.fail("hello")
    found.turn("once more")
    body = str(server.requests[1].body)
    assert body.index("Good morning.") < body.index("once more")
    assert KEY not in body


def test_the_manager_tries_again_and_the_text_of_the_first_try_is_void(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    policy = asm.RetryPolicy(attempts=3, initial=0.001)
    script = (vendor.error(529, "overloaded_error"), vendor.text("Good", end="cut"), vendor.text("Good morning."))
    found = client(*script, manager={"retry": policy})
    assert found.turn("hello")["content"] == "Good morning."
    assert [message.text for message in asm.read_messages(found.store, found.session_id)] == ["hello", "Good morning."]
    assert len(found.events("error_occurred")) == 2
    assert "Good" not in str(server.requests[2].body).replace("Good morning.", "")
    assert server.requests[2].body == server.requests[0].body


def test_a_try_after_calls_of_tools_continues_where_it_was(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    called: list[str] = []

    def weather(city: str) -> str:
        """Return the weather."""
        called.append(city)
        return "sunny"

    policy = asm.RetryPolicy(attempts=2, initial=0.001)
    script = (vendor.call("weather", {"city": "Rome"}), vendor.error(503, "api_error"), vendor.text("Sunny."))
    found = client(*script, manager={"retry": policy}, tools=[weather])
    assert found.turn("Rome?")["content"] == "Sunny."
    assert called == ["Rome"]
    assert vendor.results(server.requests[2].body) == ["sunny"]


def test_a_run_is_cancelled_from_another_manager(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.text("Good morning.", end="hang"))
    thread = threading.Thread(target=found.fail, args=("hello",))
    thread.start()
    assert server.streaming.wait(LIMIT)
    asm.SessionManager(found.store, FakeProvider([])).cancel_run(found.run.id)
    assert server.abandoned.wait(LIMIT)
    thread.join(LIMIT)
    assert found.run.status == "cancelled"
