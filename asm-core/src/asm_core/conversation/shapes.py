"""The shapes of the data of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import short_repr
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[Any], bool]

WARNINGS: Final = "asm_warnings"
"""The key of metadata for warnings."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_content(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(part, dict) and _is_text(part.get("type")) for part in value)
    )


_A_TEXT: Final = (_is_text, "a text")
_CONTENT: Final = (_is_content, "a text or a list of parts, each with a type")
_ANY: Final = (lambda _: True, "present")
_MESSAGE: Final = {"role": _A_TEXT, "content": _CONTENT}
_CALL: Final = {"tool_call_id": _A_TEXT, "tool_name": _A_TEXT}
_SHAPES: Final[Mapping[str, Mapping[str, tuple[Check, str]]]] = {
    EventType.MESSAGE_SENT: _MESSAGE,
    EventType.MESSAGE_RECEIVED: _MESSAGE,
    EventType.MESSAGE_STREAMED: {"delta": _A_TEXT},
    EventType.TOOL_CALL_STARTED: {**_CALL, "tool_input": _ANY},
    EventType.TOOL_CALL_COMPLETED: {**_CALL, "tool_output": _ANY},
    EventType.TOOL_CALL_FAILED: {**_CALL, "error": _ANY},
}
_TOOL_RESULT: Final = {"role": _A_TEXT, "content": _ANY, "tool_call_id": _A_TEXT}
_MISSING: Final = object()


def shape_warnings(kind: str, data: Mapping[str, Any]) -> list[str]:
    """Return a warning for each field of an event's data that has not the shape of its type.

    >>> shape_warnings("message_streamed", {"text": "hello"})
    ["data['delta'] must be a text; it is missing."]
    """
    shape = _TOOL_RESULT if kind in _MESSAGES and data.get("role") == "tool" else _SHAPES.get(kind)
    if shape is None:
        return []
    warnings = []
    for name, (is_valid, form) in shape.items():
        value = data.get(name, _MISSING)
        if value is _MISSING:
            warnings.append(f"data[{name!r}] must be {form}; it is missing.")
        elif not is_valid(value):
            warnings.append(f"data[{name!r}] must be {form}, not {short_repr(value)}.")
    return warnings


_MESSAGES: Final = (EventType.MESSAGE_SENT, EventType.MESSAGE_RECEIVED)
