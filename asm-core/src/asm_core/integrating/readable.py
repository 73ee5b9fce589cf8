"""Copies of a framework's values for people: for `asm show`, searches and exports."""

from __future__ import annotations

import base64
import enum
import math
from typing import Any, Final

from asm_core.errors import short_repr

_DEPTH: Final = 40
_LONGEST: Final = 1 << 63


def readable(value: Any, depth: int = _DEPTH) -> Any:
    """Return a copy of `value` that any payload accepts. It is not exact, and never fails.

    Lone surrogates are written as escapes, bytes in base64, numbers that JSON cannot represent as texts; objects and
    what is nested deeper than `depth` by a short representation.

    >>> readable({"a": (1, float("nan"), b"x")})
    {'a': [1, 'nan', 'eA==']}
    """
    if type(value) is str:
        return _text(value)
    if isinstance(value, enum.Enum):
        value = value.value
    if depth and isinstance(value, dict):
        return {_key(key): readable(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [readable(item, depth - 1) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -_LONGEST <= value < _LONGEST else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return _text(value if isinstance(value, str) else short_repr(value))


def _key(key: Any) -> str:
    return _text(key if isinstance(key, str) else short_repr(key))


def _text(text: str) -> str:
    if type(text) is str and text.isascii():
        return text
    return str.__str__(text).encode("utf-8", "backslashreplace").decode()
