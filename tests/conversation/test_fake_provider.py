from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> Iterator[asm.SessionStore]:
    with asm.open_backend("memory") as backend:
        yield backend.session_store


def test_tools_are_called_until_a_turn_calls_none(store: asm.SessionStore) -> None:
    turns = [FakeTurn(text="I add.", tool_calls=[("add", {"a": 1, "b": 2})]), "It is 3."]
    provider = FakeProvider(turns, tools={"add": lambda a, b: a + b})
    result = asm.SessionManager(store, provider).run_once("1 + 2?")
    roles = [(message.role, message.text) for message in asm.read_messages(store, result.session_id)]
    assert roles == [("user", "1 + 2?"), ("assistant", "I add."), ("tool", "3"), ("assistant", "It is 3.")]
    assert result.output == {"content": "It is 3.", "stop_reason": "end_turn"}
    assert result.token_usage == {"input_tokens": 20, "output_tokens": 10}
    assert [message.role for message in provider.requests[1]] == ["user", "assistant", "tool"]


def test_a_tool_that_raises_or_is_unknown_fails_its_call_alone(store: asm.SessionStore) -> None:
    turns = [FakeTurn(tool_calls=[("divide", {"a": 1}), ("unknown", {})]), "Sorry."]
    provider = FakeProvider(turns, tools={"divide": lambda a: a / 0})
    result = asm.SessionManager(store, provider).run_once("?")
    errors = [event.data["error"] for event in result.events if event.type == "tool_call_failed"]
    assert errors == ["division by zero", "There is no tool 'unknown'."]


def test_an_error_of_the_script_is_raised_after_its_text(store: asm.SessionStore) -> None:
    turns = [FakeTurn(text="well ...", error=asm.ProviderRateLimitedError())]
    with pytest.raises(asm.ProviderRateLimitedError) as caught:
        asm.SessionManager(store, FakeProvider(turns)).run_once("?")
    assert asm.read_messages(store, caught.value.details["session_id"])[1].text == "well ..."


def test_a_run_is_cancelled_between_two_words(store: asm.SessionStore) -> None:
    manager = asm.SessionManager(store, FakeProvider([FakeTurn(text="one two three", delay=20)]))
    threading.Timer(0.2, lambda: [manager.cancel_run(run.id) for run in runs(store)]).start()
    with pytest.raises(asm.ProviderError) as caught:
        manager.run_once("?")
    assert caught.value.details["cancelled"] is True


def runs(store: asm.SessionStore) -> list[asm.Run]:
    return [run for session in store.list_sessions() for run in store.list_runs(session.id)]


def test_a_script_that_is_too_short_fails_the_run(store: asm.SessionStore) -> None:
    with pytest.raises(asm.ProviderError, match="has no turn left"):
        asm.SessionManager(store, FakeProvider([])).run_once("?")


def test_a_turn_of_another_type_is_refused() -> None:
    with pytest.raises(asm.ValidationError, match="A turn must be a FakeTurn, a text or an error, not 7"):
        FakeProvider([7])  # type: ignore[list-item]
