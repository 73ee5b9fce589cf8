"""Values of a graph as texts in events, by the saver's serializer.

LangGraph's serializer refuses integers of more than 64 bits and deep nesting, and replaces lone surrogates by question
marks. Such values are escaped before it gets them.
"""

from __future__ import annotations

import binascii
import copy
import dataclasses
import io
import pickle
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from asm_core.integrating import Escapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.checkpoint.serde.base import SerializerProtocol

_ESCAPED: Final = "asm+"
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf]")


def dump(serde: SerializerProtocol, value: Any) -> list[str]:
    """Return the type and the content of a value, both as texts."""
    kind, content = _dumped(serde, value)
    return [kind, binascii.b2a_base64(content, newline=False).decode()]


def load(serde: SerializerProtocol, stored: list[str]) -> Any:
    """Return the value that `dump` got."""
    kind, content = stored[0], binascii.a2b_base64(stored[1])
    if not kind.startswith(_ESCAPED):
        return serde.loads_typed((kind, content))
    return _ESCAPES.restore(serde.loads_typed((kind.removeprefix(_ESCAPED), content)))


def _dumped(serde: SerializerProtocol, value: Any) -> tuple[str, bytes]:
    try:
        kind, content = serde.dumps_typed(value)
    except (TypeError, ValueError):
        parts = _ESCAPES.escape(value)
        if len(parts) == 1 and parts[0] is value:
            raise
    else:
        if isinstance(serde, JsonPlusSerializer) and (b"?" not in content or not _may_have_surrogates(value)):
            return kind, content
        parts = _ESCAPES.escape(value)
        if len(parts) == 1 and parts[0] is value:
            return kind, content
    kind, content = serde.dumps_typed(parts)
    return f"{_ESCAPED}{kind}", content


class _Pickler(pickle.Pickler):
    """Writes models as their fields, in a fifth of the time that a model's own way to be pickled takes."""

    def reducer_override(self, value: Any) -> Any:
        """Return a call of a type with the fields; it is never made."""
        return (dict, (vars(value), value.model_extra)) if isinstance(value, BaseModel) else NotImplemented


def _may_have_surrogates(value: Any) -> bool:
    # Pickling is faster than a walk in Python, and keeps surrogates as they are.
    pickled = io.BytesIO()
    try:
        _Pickler(pickled, 5).dump(value)
    except Exception:  # noqa: BLE001  an object of the application's may refuse in any way
        return True
    return _SURROGATE.search(pickled.getbuffer()) is not None


def _rebuild(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of an object with its fields changed; the object itself if none changes."""
    if isinstance(value, BaseModel):
        changed = _changes(vars(value), change)
        return value.model_copy(update=changed) if changed else value
    if _is_send(value):
        changed = _changes({"node": value.node, "arg": value.arg}, change)
        return type(value)(**{"node": value.node, "arg": value.arg, **changed}) if changed else value
    if isinstance(value, tuple | deque):
        items = [change(item) for item in value]
        if all(item is old for item, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return _rebuild_dataclass(value, change) if dataclasses.is_dataclass(value) else value


def _rebuild_dataclass(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, type):
        return value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    changed = _changes(fields, change)
    rebuilt = copy.copy(value) if changed else value
    for name, item in changed.items():
        object.__setattr__(rebuilt, name, item)
    return rebuilt


def _is_send(value: Any) -> bool:
    # Its class is in the distribution langgraph, which a saver does not need.
    return type(value).__name__ == "Send" and type(value).__module__ == "langgraph.types"


def _changes(fields: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    changed = {name: change(item) for name, item in fields.items()}
    return {name: item for name, item in changed.items() if item is not fields[name]}


_ESCAPES: Final = Escapes(to_json=False, rebuild=_rebuild)
