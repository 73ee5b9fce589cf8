"""Conversion between the entries of a transcript and events.

The data of an event are for people and for the store's own readers. Its metadata have what they lack of the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core import EventType
from asm_core.integrating import escape_payload, readable, restore_payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core import Event

OTHER: Final = "claude.entry"
"""The type of events for entries that are no message and no call of a tool, such as titles."""

NO_ENTRY: Final = object()
"""Returned for an event that contains no entry, such as a redacted one."""

_ENTRY: Final = "claude_entry"
"""The metadata key of the exact entry."""

_REST: Final = "claude_entry_rest"
"""The metadata key of an entry without the text of its message, which is in the data."""

Fields = tuple[str, dict[str, Any], dict[str, Any]]


def event_fields(entry: Any, names: dict[str, str]) -> Fields:
    """Return the type, the data and the metadata of the event for an entry.

    `names` has the names of tools by the id of the call; the names of calls are added.
    """
    kind, data = _described(entry, names)
    rest = _rest(entry, data.get("content"))
    return kind, data, {_ENTRY: escape_payload(entry)} if rest is None else {_REST: escape_payload(rest)}


def entry_of(event: Event) -> Any:
    """Return the entry of an event, or `NO_ENTRY`."""
    if _REST in event.metadata:
        entry, text = restore_payload(event.metadata[_REST]), event.data["content"]
        message = entry["message"]
        content = [{**message["content"][0], "text": text}] if "content" in message else text
        return {**entry, "message": {**message, "content": content}}
    return restore_payload(event.metadata[_ENTRY]) if _ENTRY in event.metadata else NO_ENTRY


def _rest(entry: Any, text: object) -> Any:
    """Return an entry without the text of its message, if the data have exactly that text; otherwise None."""
    message = message_of(entry)
    if message is None or type(text) is not str:
        return None
    content = message["content"]
    if content == text:
        return {**entry, "message": {key: value for key, value in message.items() if key != "content"}}
    if isinstance(content, list) and content[0]["text"] == text:
        part = {key: value for key, value in content[0].items() if key != "text"}
        return {**entry, "message": {**message, "content": [part]}}
    return None


def message_of(entry: Any) -> Mapping[str, Any] | None:
    """Return the message of an entry, if it has one."""
    if not isinstance(entry, dict) or entry.get("type") not in {"user", "assistant"}:
        return None
    message = entry.get("message")
    return message if isinstance(message, dict) else None


def _described(entry: Any, names: dict[str, str]) -> tuple[str, dict[str, Any]]:
    message = message_of(entry)
    content = None if message is None else message.get("content")
    if message is None or not isinstance(content, str | list):
        return OTHER, {}
    role = str(message.get("role") or entry["type"])
    kind = EventType.MESSAGE_RECEIVED if role == "assistant" else EventType.MESSAGE_SENT
    if isinstance(content, str):
        return kind, {"role": readable(role), "content": readable(content)}
    blocks = [block for block in content if isinstance(block, dict)]
    for block in blocks:
        if block.get("type") == "tool_use":
            names[str(block.get("id"))] = readable(str(block.get("name")))
    if len(blocks) == 1 and blocks[0].get("type") == "tool_use":
        return EventType.TOOL_CALL_STARTED, _call(blocks[0])
    if len(blocks) == 1 and blocks[0].get("type") == "tool_result":
        return _result(blocks[0], names)
    parts = [_part(block) for block in blocks]
    is_text = len(parts) == len(content) == 1 and parts[0].keys() == {"type", "text"}
    return kind, {"role": readable(role), "content": parts[0]["text"] if is_text else parts}


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tool_call_id": readable(str(block.get("id"))),
        "tool_name": readable(str(block.get("name"))),
        "tool_input": readable(block.get("input")),
    }


def _result(block: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    call = str(block.get("tool_use_id"))
    is_error = block.get("is_error") is True
    about = {"tool_call_id": readable(call), "tool_name": names.get(call, "tool")}
    result = readable(block.get("content"))
    if is_error:
        return EventType.TOOL_CALL_FAILED, {**about, "error": result}
    return EventType.TOOL_CALL_COMPLETED, {**about, "tool_output": result}


def _part(block: Mapping[str, Any]) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "tool_use":
        return {"type": "tool_call", **_call(block)}
    for key in ("text", "thinking"):
        if kind == key and isinstance(block.get(key), str):
            return {"type": key, key: readable(block[key])}
    if kind == "tool_result":
        call, result = readable(str(block.get("tool_use_id"))), readable(block.get("content"))
        return {"type": "tool_result", "tool_call_id": call, "tool_output": result}
    return {"type": readable(str(kind))}
