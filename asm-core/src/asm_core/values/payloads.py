"""Payloads: the JSON objects that sessions, runs, events and artifacts carry.

A payload comes back from every backend as it was given: key order, NUL characters, floats and large integers included.
What JSON cannot hold is refused before a database is touched.
"""

from __future__ import annotations

import enum
import math
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import ValidationError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

Payload = dict[str, Any]
"""A JSON object."""

MAX_NESTING: Final = 200
"""How many levels deep a payload may be.

What decodes JSON uses the interpreter's stack: what just fits when it is written could not be read from a deeper call.
"""

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST: Final = re.compile(rb"\[\]|\{\}")

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder()

encode_json = _encoder.encode
decode_json = _decoder.decode


def check_payload(field: str, value: object) -> Payload:
    """Return a copy of `value` in JSON's own shapes: tuples become lists, members of an enum their values.

    Raises:
        ValidationError: `value` is no dict with string keys, or holds what JSON cannot: NaN and infinities, lone
            surrogates, times, bytes, sets and other objects, or more than `MAX_NESTING` levels.
    """
    if type(value) is dict and not value:
        return {}
    try:
        # Two passes in C are eight times as fast as one walk in Python, and what comes back equal was JSON.
        text = encode_json(value)
        copy = decode_json(text)
        if copy == value and type(copy) is dict and not _too_deep(text):
            return copy
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # the walk finds out what is wrong and where
    if not isinstance(value, dict):
        message = f"{field} must be a dict, not {shown(value)}."
        raise ValidationError(message)
    try:
        plain: Payload = _plain(field, value)
        if not _too_deep(encode_json(plain)):
            return plain
    except RecursionError:
        pass
    message = f"{field} is nested more than {MAX_NESTING} levels deep; flatten it."
    raise ValidationError(message)


def copy_payloads(values: Sequence[Any]) -> tuple[list[Payload], list[str]] | None:
    """Return copies of payloads and their JSON texts; None if one is not in JSON's own shapes, and needs a walk."""
    if not any(values) and set(map(type, values)) == {dict}:
        return [{} for _ in values], ["{}"] * len(values)
    try:
        text = _encoder.encode_lines(values)
        copies = _decoder.decode_lines(text)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    texts = _lines(text)
    # A bracket that opens and one that closes for each level.
    shallow = max(map(len, texts)) <= 2 * MAX_NESTING or not any(_too_deep(line.encode()) for line in texts)
    return (copies, texts) if shallow and copies == list(values) and set(map(type, copies)) == {dict} else None


def encode_payloads(values: Sequence[Payload]) -> list[str]:
    """Return the JSON text of each of the checked payloads."""
    return _lines(_encoder.encode_lines(values))


def check_optional_payload(field: str, value: object) -> Payload | None:
    """Return `value` checked as a payload, or None where there is none."""
    return None if value is None else check_payload(field, value)


def encode_sorted(value: Payload) -> bytes:
    """Return the JSON text of a checked payload, its keys in order: equal for payloads that say the same."""
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
        message = f"{path} is {value}, which JSON cannot hold; use None or a string."
        raise ValidationError(message)
    if isinstance(value, dict):
        return _plain_object(path, value)
    if isinstance(value, list | tuple):
        return [_plain(f"{path}[{index}]", item) for index, item in enumerate(value)]
    message = f"{path} is of type {type(value).__name__}, which JSON cannot hold: {shown(value)}."
    raise ValidationError(message)


def _plain_text(path: str, value: str) -> str:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{path} holds a lone surrogate, which JSON in UTF-8 cannot: {shown(value)}."
        raise ValidationError(message) from None
    return text


def _plain_integer(path: str, value: int) -> int:
    try:
        int.__repr__(value)
    except ValueError:  # more digits than Python turns into text, or back
        message = f"{path} is an integer of too many digits; use a string."
        raise ValidationError(message) from None
    return int(value)


def _plain_object(path: str, value: dict[Any, Any]) -> Payload:
    plain: Payload = {}
    for key, item in value.items():
        name = _plain_key(path, key)
        if name in plain:
            message = (
                f"{path} has two keys that are {shown(name)} in JSON, where an enum's member is its value; rename one."
            )
            raise ValidationError(message)
        plain[name] = _plain(f"{path}.{name}", item)
    return plain


def _plain_key(path: str, key: object) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return _plain_text(f"a key of {path}", key)
    message = f"{path} has the key {shown(key)}; JSON's keys are strings."
    raise ValidationError(message)
