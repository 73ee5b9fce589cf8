"""Conversion between events of the framework and events of the store.

One event of the framework can have texts, calls of tools and results. Each is an event of the store, for people and for
the store's own readers. The last of them has the framework's event, exactly, in its metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.adk.events import Event as AdkEvent

from asm_core import Event, EventType
from asm_core.integrating import readable, restore_payload
from google_adk_asm.values import storable, time_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.genai.types import Part

    from google_adk_asm.keys import Key

OTHER: Final = "adk.event"
"""The type of events that have neither a text nor a call of a tool, such as changes of state."""

EXACT: Final = "adk_event"
"""The metadata key of the framework's event."""

_EMPTY: Final = frozenset({"state_delta", "artifact_delta", "requested_auth_configs", "requested_tool_confirmations"})
"""The actions that are empty by default."""

Told = tuple[str, dict[str, Any]]


def events_of(key: Key, event: AdkEvent) -> list[Event]:
    """Return the events of the store for an event of the framework; the last one has all of it."""
    told = list(_told(event)) or [(OTHER, _other(event))]
    run_id = key.run_id(event.invocation_id)
    time = time_of(event.timestamp)
    # The store checks events when they are appended; Event.new would check them twice.
    return [
        Event(
            id=key.event_id(event.id, index),
            type=kind,
            timestamp=time,
            session_id=key.stored_id,
            run_id=run_id,
            data=readable(data),
            metadata={EXACT: storable(_dumped(event))} if index == len(told) - 1 else {},
        )
        for index, (kind, data) in enumerate(told)
    ]


def adk_event_of(event: Event) -> AdkEvent | None:
    """Return the framework's event that an event contains, or None: one before the last of them, or a redacted one."""
    exact = event.metadata.get(EXACT)
    return None if exact is None else AdkEvent.model_validate(restore_payload(exact))


def text_of(event: AdkEvent) -> str:
    """Return the texts of an event, without thoughts."""
    parts = event.content.parts if event.content else None
    return "".join(part.text for part in parts or () if part.text and not part.thought)


def _told(event: AdkEvent) -> Iterator[Told]:
    parts = (event.content.parts if event.content else None) or []
    messages = [part for part in parts if not (part.function_call or part.function_response)]
    if messages:
        is_user = event.author == "user"
        kind = EventType.MESSAGE_SENT if is_user else EventType.MESSAGE_RECEIVED
        yield kind, {"role": "user" if is_user else "assistant", "content": _content(messages)}
    for part in parts:
        if call := part.function_call:
            data = {"tool_call_id": call.id or event.id, "tool_name": call.name, "tool_input": call.args or {}}
            yield EventType.TOOL_CALL_STARTED, data
        if result := part.function_response:
            data = {"tool_call_id": result.id or event.id, "tool_name": result.name, "tool_output": result.response}
            yield EventType.TOOL_CALL_COMPLETED, data
    if event.error_code:
        yield EventType.ERROR_OCCURRED, {"error": {"code": event.error_code, "message": event.error_message}}


def _content(parts: list[Part]) -> Any:
    """Return the text of a message, or its parts; those that are no text by their type."""
    if all(part.text is not None and not part.thought for part in parts):
        return "".join(part.text or "" for part in parts)
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, Any]:
    if part.text is not None:
        return {"type": "thinking" if part.thought else "text", "text": part.text}
    if part.inline_data or part.file_data:
        return {"type": (part.inline_data or part.file_data).mime_type or "file"}  # type: ignore[union-attr]
    return {"type": next(iter(part.model_fields_set), "unknown")}


def _other(event: AdkEvent) -> dict[str, Any]:
    data: dict[str, Any] = {"author": event.author}
    if event.actions.state_delta:
        data["state_delta"] = event.actions.state_delta
    if event.actions.compaction:
        data["compaction"] = event.actions.compaction.compacted_content.model_dump(exclude_none=True)
    return data


def _dumped(event: AdkEvent) -> dict[str, Any]:
    """Return the fields of an event that are not empty."""
    fields = event.model_dump(exclude_none=True)
    actions = {name: value for name, value in fields["actions"].items() if value or name not in _EMPTY}
    less = {"actions": actions, "node_info": {} if fields["node_info"] == {"path": ""} else fields["node_info"]}
    return {name: value for name, value in {**fields, **less}.items() if value or name not in less}
