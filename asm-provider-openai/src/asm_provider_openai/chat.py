"""A streamed completion of the Chat Completions API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.providing import tool_call
from asm_provider_openai.chat_messages import REASONING, to_chat
from asm_provider_openai.failures import answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.conversation import Message
    from asm_core.providing import ModelResponse, Tool
    from asm_core.values.payloads import Payload

_FILTERED: Final = "content_filter"


class ChatAssembly:
    """Puts a completion together from the chunks of its stream."""

    def __init__(self, response: ModelResponse) -> None:
        self._response = response
        self._text = self._refusal = self._reasoning = ""
        self._calls: dict[int, Payload] = {}

    @property
    def is_complete(self) -> bool:
        """Whether a chunk had the reason of the end."""
        return self._response.stop_reason is not None

    def take(self, chunk: Payload) -> str:
        """Take a chunk; return the text that it adds.

        The usage comes in a chunk of its own after that of the end.
        """
        response = self._response
        response.response_id = chunk.get("id") or response.response_id
        response.model = chunk.get("model") or response.model
        response.usage = chunk.get("usage") or response.usage
        text = ""
        for choice in chunk.get("choices") or []:
            text += self._grow(choice.get("delta") or {})
            response.stop_reason = choice.get("finish_reason") or response.stop_reason
        if response.stop_reason:
            self._end()
        return text

    def _grow(self, delta: Payload) -> str:
        text, refusal = delta.get("content") or "", delta.get("refusal") or ""
        self._text += text
        self._refusal += refusal
        self._reasoning += delta.get(REASONING) or ""
        for piece in delta.get("tool_calls") or []:
            # Some compatible servers send whole calls without an index.
            index = piece["index"] if piece.get("index") is not None else len(self._calls)
            call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
            function = piece.get("function") or {}
            call["id"] = piece.get("id") or call["id"]
            call["name"] += function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""
        return str(text + refusal)

    def _end(self) -> None:
        response = self._response
        parts: list[Payload] = [{"type": "reasoning", REASONING: self._reasoning}] if self._reasoning else []
        parts += [{"type": "text", "text": self._text}] if self._text else []
        parts += [{"type": "refusal", "refusal": self._refusal}] if self._refusal else []
        calls = [self._calls[index] for index in sorted(self._calls)]
        parts += [
            tool_call(call["id"] or f"{response.response_id}_{i}", call["name"], call["arguments"])
            for i, call in enumerate(calls)
        ]
        response.content = parts
        if response.stop_reason == _FILTERED:
            response.error = answered("the content filter ended the response.", code=_FILTERED)


def request(
    messages: Sequence[Message],
    *,
    system: str | None,
    tools: Sequence[Tool],
    options: Payload,  # noqa: ARG001  as in responses
) -> Payload:
    """Return the fields of a request."""
    first = [{"role": "system", "content": system}] if system else []
    fields: Payload = {"messages": [*first, *to_chat(messages)], "stream_options": {"include_usage": True}}
    if tools:
        fields["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in tools
        ]
    return fields
