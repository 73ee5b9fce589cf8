"""A streamed message of Anthropic, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.providing import tool_call
from asm_provider_anthropic.messages import to_part

if TYPE_CHECKING:
    from asm_core.providing import ModelResponse
    from asm_core.values.payloads import Payload

_APPENDED: Final = {"text_delta": "text", "thinking_delta": "thinking"}
_JSON: Final = "_json"


class Assembly:
    """Puts a response together from the events of its stream.

    Attributes:
        is_complete: whether the last event was that of the end.
    """

    def __init__(self, response: ModelResponse) -> None:
        self._response = response
        self._blocks: dict[int, Payload] = {}
        self.is_complete = False

    def take(self, event: Payload) -> str:
        """Take an event; return the text that it adds."""
        response = self._response
        match event.get("type"):
            case "message_start":
                message = event["message"]
                response.response_id, response.model = message.get("id"), message.get("model")
                self._use(message.get("usage"))
            case "content_block_start":
                self._blocks[event["index"]] = dict(event["content_block"])
                return str(event["content_block"].get("text") or "")
            case "content_block_delta":
                return self._grow(self._blocks[event["index"]], event["delta"])
            case "message_delta":
                response.stop_reason = event["delta"].get("stop_reason")
                self._use(event.get("usage"))
            case "message_stop":
                self.is_complete = True
                response.content = [_part(self._blocks[index]) for index in sorted(self._blocks)]
                response.is_paused = response.stop_reason == "pause_turn"
        return ""

    def _use(self, usage: Payload | None) -> None:
        """Take counts: those of the end replace those of the beginning, where it has them."""
        known = {name: count for name, count in (usage or {}).items() if count is not None}
        if known:
            self._response.usage = {**(self._response.usage or {}), **known}

    @staticmethod
    def _grow(block: Payload, delta: Payload) -> str:
        kind = delta["type"]
        if kind in _APPENDED:
            field = _APPENDED[kind]
            block[field] = (block.get(field) or "") + delta[field]
            return str(delta[field]) if kind == "text_delta" else ""
        if kind == "input_json_delta":
            block[_JSON] = block.get(_JSON, "") + delta["partial_json"]
        elif kind == "signature_delta":
            block["signature"] = delta["signature"]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        return ""


def _part(block: Payload) -> Payload:
    given: Any = block.pop(_JSON, "") or block.get("input")
    if block["type"] == "tool_use":
        return tool_call(block["id"], block["name"], given)
    if "input" in block:  # a tool that Anthropic runs
        block["input"] = tool_call("", "", given)["tool_input"]
    return to_part({name: value for name, value in block.items() if value is not None})
