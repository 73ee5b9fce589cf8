"""A streamed response of the Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_provider_openai.failures import answered
from asm_provider_openai.response_items import to_parts, to_responses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.conversation import Message
    from asm_core.providing import ModelResponse, Tool
    from asm_core.values.payloads import Payload

_TEXT: Final = {"response.output_text.delta", "response.refusal.delta"}
_ENDS: Final = {"response.completed", "response.incomplete", "response.failed"}
LIMIT: Final = "max_output_tokens"
"""The field of a request for the largest number of tokens."""


class ResponsesAssembly:
    """Puts a response together from the events of its stream.

    Attributes:
        is_complete: whether the last event was that of the end.
    """

    def __init__(self, response: ModelResponse) -> None:
        self._response = response
        self.is_complete = False

    def take(self, event: Payload) -> str:
        """Take an event; return the text that it adds.

        Raises:
            ProviderError: the event reports an error.
        """
        kind = event.get("type")
        if kind in _TEXT:
            return str(event["delta"])
        if kind == "response.created":
            self._response.response_id, self._response.model = event["response"]["id"], event["response"].get("model")
        elif kind in _ENDS:
            self._end(event["response"])
        elif kind == "error":
            raise answered(event.get("message") or "an error within the stream.", code=event.get("code"))
        return ""

    def _end(self, final: Payload) -> None:
        response = self._response
        response.response_id, response.model = final["id"], final.get("model") or response.model
        response.usage = final.get("usage") or None
        if final.get("status") == "failed":
            error = final.get("error") or {}
            raise answered(error.get("message") or "the response failed.", code=error.get("code"))
        response.content = [part for item in final.get("output") or [] for part in to_parts(_without_nulls(item))]
        reason = (final.get("incomplete_details") or {}).get("reason")
        response.stop_reason = reason or final.get("status")
        self.is_complete = True
        if reason == "content_filter":
            response.error = answered("the content filter ended the response.", code=reason)


def request(messages: Sequence[Message], *, system: str | None, tools: Sequence[Tool], options: Payload) -> Payload:
    """Return the fields of a request."""
    stored = bool(options.get("store", False))
    fields: Payload = {"input": to_responses(messages, stored=stored), "store": stored}
    if system:
        fields["instructions"] = system
    if tools:
        fields["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in tools
        ]
    return fields


def _without_nulls(item: Any) -> Payload:
    return {name: value for name, value in item.items() if value is not None}
