"""Conversion between the items of a session and events.

The data of an event are for people and for the store's own readers. Its metadata have what they lack of the item.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from asm_core import EventType
from asm_core.integrating import escape_payload, readable, restore_payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asm_core.integrating import EventContent

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

ITEM: Final = "openai_item"
"""The metadata key of the exact item."""

REST: Final = "openai_item_rest"
"""The metadata key of an item without its text, which is in the data."""

_MESSAGE: Final = frozenset({"role", "content"})

Fields = tuple[str, dict[str, Any], dict[str, Any]]


def event_fields(items: Iterable[Any], names: dict[str, str]) -> list[Fields]:
    """Return the type, the data and the metadata of the event for each item.

    `names` has the names of tools by the id of the call; the names of calls are added.

    >>> event_fields([{"role": "user", "content": "hello"}], {})
    [(<EventType.MESSAGE_SENT: 'message_sent'>, {'role': 'user', 'content': 'hello'}, {})]
    """
    return [
        (kind, data, {key: escape_payload(value) for key, value in metadata.items()})
        for kind, data, metadata in (_fields(item, names) for item in items)
    ]


def _fields(item: Any, names: dict[str, str]) -> Fields:
    if type(item) is dict:
        if isinstance(item.get("role"), str) and isinstance(item.get("content"), str | list):
            return _message(item)
        if isinstance(item.get("call_id"), str):
            return _call(item, names)
    return OTHER, {"type": _type(item)}, {ITEM: item}


def item_of(event: EventContent) -> Any:
    """Return the item of an event, or `NO_ITEM`."""
    metadata = event.metadata
    if metadata:
        if REST in metadata:
            return _completed(restore_payload(metadata[REST]), event)
        if ITEM in metadata:
            return restore_payload(metadata[ITEM])
    return event.data if event.data.keys() == _MESSAGE and event.type in ITEM_TYPES else NO_ITEM


def _message(item: dict[str, Any]) -> Fields:
    role, content = item["role"], item["content"]
    kind = EventType.MESSAGE_RECEIVED if role == "assistant" else EventType.MESSAGE_SENT
    part = content[0] if type(content) is list and len(content) == 1 else None
    text = part.get("text") if type(part) is dict else content
    if not _is_plain(role) or not _is_plain(text):
        return kind, {"role": readable(role), "content": _parts(content)}, {ITEM: item}
    data = {"role": role, "content": text}
    if part is not None:
        less = {key: value for key, value in part.items() if key != "text"}
        return kind, data, {REST: {**item, "content": [less]}}
    return kind, data, {} if len(item) == len(_MESSAGE) else {REST: _without(item, "content")}


def _call(item: dict[str, Any], names: dict[str, str]) -> Fields:
    call = readable(item["call_id"])
    if not _type(item).endswith("_output"):
        names[call] = readable(str(item.get("name") or _type(item)))
        data = {"tool_call_id": call, "tool_name": names[call], "tool_input": _input(item)}
        return EventType.TOOL_CALL_STARTED, data, {ITEM: item}
    output = item.get("output")
    name = names.get(call) or _type(item).removesuffix("_output")
    data = {"tool_call_id": call, "tool_name": name, "tool_output": readable(output)}
    return EventType.TOOL_CALL_COMPLETED, data, {REST: _without(item, "output")} if _is_plain(output) else {ITEM: item}


def _completed(rest: dict[str, Any], event: EventContent) -> dict[str, Any]:
    """Return an item with the text that the data of its event have."""
    data = event.data
    if "tool_output" in data:
        return {**rest, "output": data["tool_output"]}
    text = data["content"]
    return {**rest, "content": [{**rest["content"][0], "text": text}] if "content" in rest else text}


def _without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def _is_plain(text: object) -> bool:
    """Return whether a value is a text without lone surrogates."""
    if type(text) is not str:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(content: str | list[Any]) -> Any:
    """Return the content of a message for people; parts that are no text by their type."""
    if isinstance(content, str):
        return readable(content)
    return [_part(part) for part in content if isinstance(part, dict)]


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("text", "refusal"):
        if isinstance(part.get(key), str):
            return {"type": "text", "text": readable(part[key])}
    return {"type": _type(part)}


def _type(item: Any) -> str:
    found = item.get("type") if isinstance(item, dict) else None
    return str(readable(found)) if isinstance(found, str) else type(item).__name__


def _input(item: Mapping[str, Any]) -> Any:
    """Return the input of a tool: arguments are JSON in a text."""
    given = next((item[key] for key in ("arguments", "input", "action", "operation") if key in item), None)
    if not isinstance(given, str):
        return readable(given)
    try:
        return readable(json.loads(given))
    except (ValueError, RecursionError):
        return readable(given)
