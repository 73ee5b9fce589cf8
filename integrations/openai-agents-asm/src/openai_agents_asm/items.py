"""Conversion between the items of a session and events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from asm_core import EventType
from asm_core.integrating import escape_payload, readable, restore_payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core import Event

OTHER: Final = "openai.item"
"""The type of events for items that are no message and no call of a tool, such as reasoning."""

ITEM_TYPES: Final = (
    EventType.MESSAGE_SENT,
    EventType.MESSAGE_RECEIVED,
    EventType.TOOL_CALL_STARTED,
    EventType.TOOL_CALL_COMPLETED,
    OTHER,
)
"""The types of events that can contain an item."""

NO_ITEM: Final = object()
"""Returned for an event that contains no item, such as a redacted one."""

_ITEM: Final = "item"
_MESSAGE: Final = frozenset({"role", "content"})


def event_fields(item: Any, names: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the type and the data of the event for an item.

    `names` has the names of tools by the id of the call; the name of a call is added.

    >>> event_fields({"role": "user", "content": "hello"}, {})
    (<EventType.MESSAGE_SENT: 'message_sent'>, {'role': 'user', 'content': 'hello'})
    """
    escaped = escape_payload(item)
    if not isinstance(item, dict):
        return OTHER, {_ITEM: escaped}
    if isinstance(item.get("role"), str) and isinstance(item.get("content"), str | list):
        kind = EventType.MESSAGE_RECEIVED if item["role"] == "assistant" else EventType.MESSAGE_SENT
        if item.keys() == _MESSAGE and isinstance(item["content"], str) and escaped == item:
            return kind, escaped
        return kind, {"role": readable(item["role"]), "content": _text(item["content"]), _ITEM: escaped}
    call = item.get("call_id")
    if not isinstance(call, str):
        return OTHER, {_ITEM: escaped}
    about = {"tool_call_id": readable(call), _ITEM: escaped}
    if str(item.get("type")).endswith("_output"):
        name = names.get(call) or readable(str(item["type"]).removesuffix("_output"))
        return EventType.TOOL_CALL_COMPLETED, {**about, "tool_name": name, "tool_output": readable(item.get("output"))}
    names[call] = readable(str(item.get("name") or item.get("type")))
    return EventType.TOOL_CALL_STARTED, {**about, "tool_name": names[call], "tool_input": _input(item)}


def item_of(event: Event) -> Any:
    """Return the item of an event, or `NO_ITEM`."""
    data = event.data
    if _ITEM in data:
        return restore_payload(data[_ITEM])
    return data if data.keys() == _MESSAGE else NO_ITEM


def _text(content: str | list[Any]) -> Any:
    """Return the text of a message for people; parts that are no text by their type."""
    if isinstance(content, str):
        return readable(content)
    parts = [part for part in content if isinstance(part, dict)]
    return [_part(part) for part in parts]


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("text", "refusal"):
        if isinstance(part.get(key), str):
            return {"type": "text", "text": readable(part[key])}
    return {"type": readable(str(part.get("type")))}


def _input(item: Mapping[str, Any]) -> Any:
    """Return the input of a tool: arguments are JSON in a text."""
    given = next((item[key] for key in ("arguments", "input", "action", "operation") if key in item), None)
    if not isinstance(given, str):
        return readable(given)
    try:
        return readable(json.loads(given))
    except (ValueError, RecursionError):
        return readable(given)
