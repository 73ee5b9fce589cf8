"""The providers of this repository, each with a server that speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import model_server as wire
import pytest
from model_server import Answer, ModelServer, Stream

import asm_core as asm
from asm_provider_anthropic import AnthropicProvider
from asm_provider_openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.ports import AsyncProvider

KEY = "sk-test-0123456789abcdef"
REASONING = {
    "anthropic": {"type": "thinking", "thinking": "Let me think.", "signature": "c2lnbmF0dXJl"},
    "responses": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ZW5jcnlwdGVk"},
}


class Vendor(NamedTuple):
    """A protocol: how to answer in it, and how to read what was asked.

    Attributes:
        text: streams a text; with ``end="cut"`` or ``"hang"`` not to its end.
        call: streams a text and the call of a tool.
        error: an error answer.
        error_in_stream: a stream with an error.
        results: reads the results of tools in the body of a request.
        usage: the canonical usage of a response.
    """

    name: str
    provider: Callable[..., AsyncProvider]
    text: Callable[..., Stream]
    call: Callable[..., Stream]
    error: Callable[..., Answer]
    error_in_stream: Stream
    filtered: Stream
    results: Callable[[Any], list[Any]]
    usage: dict[str, int]


def _anthropic_results(body: Any) -> list[Any]:
    blocks = [block for message in body["messages"] if message["role"] == "user" for block in message["content"]]
    return [block["content"] for block in blocks if block["type"] == "tool_result"]


def _anthropic_error(status: int, reason: str, message: str = "no", **headers: str) -> Answer:
    return Answer(status, {"type": "error", "error": {"type": reason, "message": message}}, headers)


def _openai_error(status: int, reason: str, message: str = "no", **headers: str) -> Answer:
    return Answer(status, {"error": {"type": reason, "code": reason, "message": message, "param": None}}, headers)


def _openai(server: ModelServer, **options: Any) -> OpenAIProvider:
    return OpenAIProvider(KEY, base_url=server.url, **{"model": "gpt-test-1", **options})


USAGE_OF_OPENAI = {"input_tokens": 10, "cache_read_tokens": 4, "output_tokens": 5, "reasoning_tokens": 2}
VENDORS = [
    Vendor(
        name="anthropic",
        provider=lambda server, **options: AnthropicProvider(
            KEY, base_url=server.url, **{"model": "claude-test-1", **options}
        ),
        text=lambda text, end="end": wire.anthropic(text, end=end, cache_read_input_tokens=4, input_tokens=6),
        call=lambda name, arguments, text="Wait.": wire.anthropic(text, wire.tool_use(name, arguments)),
        error=_anthropic_error,
        error_in_stream=Stream(
            [("error", {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})]
        ),
        filtered=wire.anthropic("no", stop_reason="refusal"),
        results=_anthropic_results,
        usage={"input_tokens": 10, "cache_read_tokens": 4, "output_tokens": 5},
    ),
    Vendor(
        name="responses",
        provider=_openai,
        text=wire.responses,
        call=lambda name, arguments, text="Wait.": wire.responses(text, wire.function_call(name, arguments)),
        error=_openai_error,
        error_in_stream=Stream([("error", {"type": "error", "code": "server_error", "message": "busy"})]),
        filtered=wire.responses("no", status="incomplete", incomplete_details={"reason": "content_filter"}),
        results=lambda body: [one["output"] for one in body["input"] if one.get("type") == "function_call_output"],
        usage=USAGE_OF_OPENAI,
    ),
    Vendor(
        name="chat",
        provider=lambda server, **options: _openai(server, api="chat", **options),
        text=wire.chat,
        call=lambda name, arguments, text="Wait.": wire.chat(text, wire.function_call(name, arguments)),
        error=_openai_error,
        error_in_stream=Stream([("", {"error": {"type": "server_error", "message": "busy"}})]),
        filtered=wire.chat("no", finish_reason="content_filter"),
        results=lambda body: [one["content"] for one in body["messages"] if one["role"] == "tool"],
        usage=USAGE_OF_OPENAI,
    ),
]


class Client:
    """Runs turns of one session with a provider, and reads what was recorded."""

    def __init__(self, backend: asm.Backend, provider: AsyncProvider, **options: Any) -> None:
        self.store = backend.session_store
        self.manager = asm.SessionManager(self.store, provider, **options)
        self.session_id = self.manager.start_session(agent_id="assistant").id

    def turn(self, prompt: str | list[Any], **options: Any) -> Any:
        """Run one turn, and return its output."""
        return self.manager.run(self.session_id, prompt, **options).output

    def fail(self, prompt: str) -> asm.ProviderError:
        """Run a turn that fails, and return its error."""
        with pytest.raises(asm.ProviderError) as caught:
            self.turn(prompt)
        return caught.value

    @property
    def run(self) -> asm.Run:
        """The newest run."""
        return self.store.list_runs(self.session_id)[-1]

    def events(self, *types: str) -> list[asm.StoredEvent]:
        """Return the events of these types; all, if none is named."""
        found = self.store.get_events(self.session_id)
        return [event for event in found if not types or event.type in types]
