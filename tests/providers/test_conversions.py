"""Messages of a transcript as messages of a vendor's API, and back."""

from __future__ import annotations

from typing import Any

import pytest
from vendors import REASONING

from asm_core import Message
from asm_provider_anthropic import from_anthropic, to_anthropic
from asm_provider_openai import from_chat, from_responses, to_chat, to_responses

CALL = {"type": "tool_call", "tool_call_id": "call_1", "tool_name": "weather", "tool_input": {"city": "Rome"}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
LINK = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
TEXT = {"type": "text", "text": "Wait."}
CONVERSATION = [
    Message(role="system", content="Be brief."),
    Message(role="user", content=[{"type": "text", "text": "Rome?"}, IMAGE, LINK]),
    Message(role="assistant", content=[TEXT, CALL]),
    Message(role="tool", content="sunny", tool_call_id="call_1", tool_name="weather"),
    Message(role="assistant", content=[{"type": "text", "text": "It is sunny."}]),
]
ROUND_TRIPS: dict[str, Any] = {
    "anthropic": lambda messages: from_anthropic(**to_anthropic(messages)),
    "responses": lambda messages: from_responses(to_responses(messages)),
    "chat": lambda messages: from_chat(to_chat(messages)),
}


def facts(message: Message) -> tuple[Any, ...]:
    return message.role, message.parts, message.tool_call_id, message.is_error


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_a_conversation_is_the_same_after_both_conversions(name: str) -> None:
    messages = ROUND_TRIPS[name](CONVERSATION)
    found = [facts(message) if message.role != "tool" else message.text for message in messages]
    expected = [facts(message) if message.role != "tool" else message.text for message in CONVERSATION]
    assert found == expected
    assert [message.tool_name for message in messages if message.role == "tool"] == ["weather"]


@pytest.mark.parametrize("name", ["anthropic", "responses"])
def test_reasoning_is_the_same_after_both_conversions(name: str) -> None:
    (message,) = ROUND_TRIPS[name]([Message(role="assistant", content=[REASONING[name], TEXT])])
    assert message.content == [REASONING[name], TEXT]


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_calls_with_ids_and_names_of_other_vendors_are_made_valid(name: str) -> None:
    odd = {**CALL, "tool_call_id": "a:1 ü", "tool_name": "git log"}
    call, result = ROUND_TRIPS[name](
        [Message(role="assistant", content=[odd]), Message(role="tool", content={"a": 1}, tool_call_id="a:1 ü")]
    )
    assert call.tool_calls[0]["tool_call_id"] == result.tool_call_id
    assert call.tool_calls[0]["tool_call_id"].isascii()
    assert call.tool_calls[0]["tool_name"] == "git_log"
    assert result.content == '{"a":1}'


def test_anthropic_gets_a_failed_result_as_an_error() -> None:
    failed = Message(role="tool", content="no Rome", tool_call_id="call_1", is_error=True)
    (turn,) = to_anthropic([failed])["messages"]
    assert turn["role"] == "user"
    assert turn["content"][0]["is_error"] is True
    assert from_anthropic([turn])[0].is_error


def test_anthropic_gets_results_and_the_next_text_in_one_message() -> None:
    said = Message(role="user", content="And now?")
    turns = to_anthropic([*CONVERSATION[1:4], said])["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block["type"] for block in turns[-1]["content"]] == ["tool_result", "text"]


def test_anthropic_gets_no_blank_text() -> None:
    assert to_anthropic([Message(role="user", content="  "), Message(role="assistant", content="")]) == {"messages": []}


def test_openai_gets_reasoning_without_its_content_only_if_it_stores_it() -> None:
    part = {"type": "reasoning", "id": "rs_1", "summary": []}
    message = Message(role="assistant", content=[part])
    assert to_responses([message]) == []
    assert to_responses([message], stored=True) == [part]


def test_arguments_that_are_no_json_are_returned_as_they_came() -> None:
    broken = {**CALL, "tool_input": '{"city": "Ro'}
    message = Message(role="assistant", content=[broken])
    assert to_chat([message])[0]["tool_calls"][0]["function"]["arguments"] == '{"city": "Ro'
    assert to_responses([message])[0]["arguments"] == '{"city": "Ro'
    assert to_anthropic([message])["messages"][0]["content"][0]["input"] == {"invalid": '{"city": "Ro'}


def test_the_phase_of_a_message_is_kept() -> None:
    item = {"type": "message", "role": "assistant", "phase": "commentary", "content": "Wait."}
    (message,) = from_responses([item])
    assert to_responses([message]) == [{"role": "assistant", "content": "Wait.", "phase": "commentary"}]
