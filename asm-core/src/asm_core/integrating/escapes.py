"""Escapes for values that a payload, or a framework's serializer, refuses or changes.

Escaped values are texts, so they fit wherever a text fits, also as keys. A value that is nested too deep is cut into
parts, and each part refers to others by their index.
"""

from __future__ import annotations

import base64
import json
import math
import operator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import ValidationError
from asm_core.values.payloads import MAX_NESTING, check_payload, decode_json, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[Any], Any]

_MARK: Final = "\0asm:"
_TEXT: Final = f"{_MARK}text:"
_INTEGER: Final = f"{_MARK}integer:"
_FLOAT: Final = f"{_MARK}float:"
_BYTES: Final = f"{_MARK}bytes:"
_TIME: Final = f"{_MARK}time:"
_PART: Final = f"{_MARK}part:"
_PARTS_KEY: Final = "asm_parts"
_MARK_IN_JSON: Final = json.dumps(_MARK)[1:-1].encode()
_PARTS_IN_JSON: Final = _PARTS_KEY.encode()
_DEPTH: Final = MAX_NESTING // 2
_LONGEST: Final = 1 << 63
_LEVELS_ABOVE: Final = 8
"""The levels that an event's data may have above an escaped value."""


class Escapes:
    """Replaces what a serializer refuses or changes by texts, and restores it.

    Lone surrogates and integers of more than 64 bits are always escaped. Values of other types are kept.
    """

    def __init__(self, *, to_json: bool, rebuild: Callable[[Any, Change], Any] | None = None) -> None:
        """Choose what is escaped.

        Args:
            to_json: also escape bytes, times, NaN and infinities; tuples become lists.
            rebuild: returns a copy of an object that is no built-in container, with each of its fields changed; if no
                field changes, the object itself.
        """
        self._to_json = to_json
        self._rebuild = rebuild

    def escape(self, value: Any) -> list[Any]:
        """Return the parts of `value`: the first is the outermost, and each is nested at most 100 levels deep.

        What needs no escape stays the same object, so a value without any is the only part itself.
        """
        waiting = [value]
        parts: list[Any] = []
        while len(parts) < len(waiting):
            parts.append(self._escaped(waiting[len(parts)], 0, waiting))
        return parts

    def restore(self, parts: list[Any]) -> Any:
        """Return the value of which `escape` returned these parts."""
        restored: list[Any] = [None] * len(parts)
        for index in reversed(range(len(parts))):
            restored[index] = self._restored(parts[index], restored)
        return restored[0]

    def _escaped(self, value: Any, depth: int, waiting: list[Any]) -> Any:
        kind = type(value)
        if kind is str:
            return _escaped_text(value)
        if kind is int:
            return value if -_LONGEST <= value < _LONGEST else f"{_INTEGER}{value:x}"
        if kind in _JSON_SCALARS:
            return self._escaped_scalar(value)
        if kind in _CONTAINERS or (self._rebuild is not None and not isinstance(value, _SCALARS)):
            if depth == _DEPTH:
                waiting.append(value)
                return f"{_PART}{len(waiting) - 1}"
            return self._changed(value, lambda item: self._escaped(item, depth + 1, waiting))
        return value

    def _escaped_scalar(self, value: float | bytes | datetime) -> Any:
        if not self._to_json:
            return value
        if isinstance(value, datetime):
            return _TIME + value.isoformat()
        if isinstance(value, bytes):
            return _BYTES + base64.b64encode(value).decode()
        return value if math.isfinite(value) else f"{_FLOAT}{value}"

    def _restored(self, value: Any, parts: list[Any]) -> Any:
        if type(value) is str:
            return _restored_text(value, parts) if value.startswith(_MARK) else value
        if type(value) in _CONTAINERS or (self._rebuild is not None and not isinstance(value, _SCALARS)):
            return self._changed(value, lambda item: self._restored(item, parts))
        return value

    def _changed(self, value: Any, change: Change) -> Any:
        kind = type(value)
        if kind is dict:
            pairs = [(change(key), change(item)) for key, item in value.items()]
            is_same = all(key is old and item is value[old] for (key, item), old in zip(pairs, value, strict=True))
            return value if is_same else dict(pairs)
        if kind not in _CONTAINERS:
            return value if self._rebuild is None else self._rebuild(value, change)
        old = list(value)
        items = list(map(change, old))
        if kind is tuple and self._to_json:
            return items
        return value if all(map(operator.is_, items, old)) else kind(items)


_CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})
_SCALARS: Final = (str, int, float, bytes, bytearray, type(None), complex)
_JSON_SCALARS: Final = frozenset({float, bytes, datetime})
_JSON: Final = Escapes(to_json=True)


def escape_payload(value: Any) -> Any:
    """Return `value` as a part of a payload, from which `restore_payload` restores it exactly.

    Lone surrogates, NaN, infinities, bytes, times, integers of any size and any depth are kept; tuples become lists. A
    value that is JSON stays as it is.

    Raises:
        ValidationError: `value` contains a value of another type.

    >>> escape_payload({"role": "user"}), restore_payload(escape_payload([b"a", float("inf")]))
    ({'role': 'user'}, [b'a', inf])
    """
    if value is None or (type(value) is str and value.isascii()):
        return value  # most names and ids; only a dict is restored
    plain = _plain(value)
    if plain is not None:
        return plain
    nested: Any = value
    for _ in range(_LEVELS_ABOVE):
        nested = [nested]
    try:
        whole = check_payload("value", {"value": nested})
    except ValidationError:
        return check_payload("value", {_PARTS_KEY: _JSON.escape(value)})
    if _has_marks(encode_json(whole)):
        return check_payload("value", {_PARTS_KEY: _JSON.escape(value)})
    plain = whole["value"]
    for _ in range(_LEVELS_ABOVE):
        plain = plain[0]
    return plain


def _plain(value: Any) -> Any:
    """Return a copy of a value that is JSON of few levels, in one pass; None if it needs a check."""
    try:
        text = encode_json(value)
        copy = decode_json(text)
        is_json = type(copy) is type(value) and copy == value
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    is_shallow = text.count(b"{") + text.count(b"[") <= MAX_NESTING - _LEVELS_ABOVE - 1
    return copy if is_json and is_shallow and not _has_marks(text) else None


def _has_marks(text: bytes) -> bool:
    return _MARK_IN_JSON in text or _PARTS_IN_JSON in text


def restore_payload(value: Any) -> Any:
    """Return what `escape_payload` got."""
    if type(value) is dict and len(value) == 1 and _PARTS_KEY in value:
        return _JSON.restore(value[_PARTS_KEY])
    return value


def _escaped_text(text: str) -> str:
    if text.isascii():
        return f"{_TEXT}{json.dumps(text)}" if text.startswith(_MARK) else text
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{_TEXT}{json.dumps(text)}"
    return f"{_TEXT}{json.dumps(text)}" if text.startswith(_MARK) else text


def _restored_text(text: str, parts: list[Any]) -> Any:
    kind, _, content = text.removeprefix(_MARK).partition(":")
    if kind == "part":
        return parts[int(content)]
    if kind == "integer":
        return int(content, 16)
    if kind == "float":
        return float(content)
    if kind == "time":
        return datetime.fromisoformat(content)
    return base64.b64decode(content) if kind == "bytes" else json.loads(content)
