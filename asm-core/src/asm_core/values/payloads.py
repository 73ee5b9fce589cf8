"""Payloads: the JSON objects of sessions, runs, events and artifacts.

Every backend returns a payload as it was given, with key order, NUL characters, floats and large integers. Values that
JSON cannot represent are rejected before a database is used.
"""

from __future__ import annotations

import enum
import math
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Sequence

Payload = dict[str, Any]
"""A JSON object."""

MAX_NESTING: Final = 200
"""The deepest nesting of a payload.

The JSON decoder uses the interpreter's stack, so a deeper call could not decode a payload that was just encodable.
"""

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST: Final = re.compile(rb"\[\]|\{\}")

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder()

encode_json = _encoder.encode
decode_json = _decoder.decode


def check_payload(field: str, value: object) -> Payload:
    """Return a copy of `value` in JSON types: tuples become lists, members of an enum become their values.

    Raises:
        ValidationError: `value` is not a dict with string keys, has more than `MAX_NESTING` levels, or contains values
            that JSON cannot represent: NaN, infinities, lone surrogates, times, bytes, sets and other objects.
    """
    if type(value) is dict and not value:
        return {}
    try:
        # Two passes in C are eight times as fast as a walk in Python. If the result is equal, the value was JSON.
        text = encode_json(value)
        copy = decode_json(text)
        if copy == value and type(copy) is dict and not _too_deep(text):
            return copy
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # the walk finds the fault and its path
    if not isinstance(value, dict):
        message = f"{field} must be a dict, not {short_repr(value)}."
        raise ValidationError(message)
    try:
        plain: Payload = _plain(field, value)
        if not _too_deep(encode_json(plain)):
            return plain
    except RecursionError:
        pass
    message = f"{field} is nested more than {MAX_NESTING} levels deep. Flatten it."
    raise ValidationError(message)


def copy_payloads(values: Sequence[Any]) -> tuple[list[Payload], list[str]] | None:
    """Return copies of payloads and their JSON texts; None if one has other than JSON types and needs a walk."""
    if not any(values) and set(map(type, values)) == {dict}:
        return [{} for _ in values], ["{}"] * len(values)
    try:
        text = _encoder.encode_lines(values)
        copies = _decoder.decode_lines(text)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    texts = _lines(text)
    # One opening and one closing bracket for each level.
    shallow = max(map(len, texts)) <= 2 * MAX_NESTING or not any(_too_deep(line.encode()) for line in texts)
    return (copies, texts) if shallow and copies == list(values) and set(map(type, copies)) == {dict} else None


def encode_payloads(values: Sequence[Payload]) -> list[str]:
    """Return the JSON text of each of the checked payloads."""
    return _lines(_encoder.encode_lines(values))


def check_optional_payload(field: str, value: object) -> Payload | None:
    """Return `value` if it is a valid payload or None."""
    return None if value is None else check_payload(field, value)


def encode_sorted(value: Payload) -> bytes:
    """Return the JSON text of a checked payload with sorted keys, equal for equal payloads."""
    return msgspec.json.encode(value, order="sorted")


def encode_payload(value: Payload) -> str:
    """Return the JSON text of a checked payload."""
    return encode_json(value).decode()


def _lines(text: bytes) -> list[str]:
    return text.decode().split("\n")[:-1]


def _too_deep(text: bytes) -> bool:
    if text.count(b"{") + text.count(b"[") <= MAX_NESTING:
        return False
    brackets = _STRING.sub(b"", text).translate(None, delete=_NO_BRACKETS)
    for _ in range(MAX_NESTING):
        brackets = _INNERMOST.sub(b"", brackets)
        if not brackets:
            return False
    return True


def _plain(path: str, value: object) -> Any:
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(path, value)
    if isinstance(value, int):
        return _plain_integer(path, value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        message = f"{path} is {value}, which JSON cannot represent. Use None or a string."
        raise ValidationError(message)
    if isinstance(value, dict):
        return _plain_object(path, value)
    if isinstance(value, list | tuple):
        return [_plain(f"{path}[{index}]", item) for index, item in enumerate(value)]
    message = f"{path} is of type {type(value).__name__}, which JSON cannot represent: {short_repr(value)}."
    raise ValidationError(message)


def _plain_text(path: str, value: str) -> str:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{path} contains a lone surrogate, which UTF-8 cannot encode: {short_repr(value)}."
        raise ValidationError(message) from None
    return text


def _plain_integer(path: str, value: int) -> int:
    try:
        int.__repr__(value)
    except ValueError:  # more digits than Python converts to or from text
        message = f"{path} is an integer with too many digits. Use a string."
        raise ValidationError(message) from None
    return int(value)


def _plain_object(path: str, value: dict[Any, Any]) -> Payload:
    plain: Payload = {}
    for key, item in value.items():
        name = _plain_key(path, key)
        if name in plain:
            message = (
                f"{path} has two keys that are {short_repr(name)} in JSON, where an enum's member is its value. "
                "Rename one."
            )
            raise ValidationError(message)
        plain[name] = _plain(f"{path}.{name}", item)
    return plain


def _plain_key(path: str, key: object) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return _plain_text(f"a key of {path}", key)
    message = f"{path} has the key {short_repr(key)}. JSON keys are strings."
    raise ValidationError(message)
