"""Values of the framework as parts of payloads."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_jsonable_python

from asm_core import ValidationError
from asm_core.integrating import escape_payload

_KEPT: Final = (str, int, float, bytes, datetime, type(None))


def storable(value: Any) -> Any:
    """Return `value` as a part of a payload, from which `restore_payload` restores it.

    Tuples and sets become lists. Other objects are kept as the framework's own stores keep them: models as objects of
    JSON, functions as their representation.
    """
    try:
        return escape_payload(value)
    except ValidationError:
        pass
    try:
        return escape_payload(_plain(value))
    except RecursionError:
        message = "A value that is no JSON is nested too deep. Give it as lists, dicts, texts and numbers."
        raise ValidationError(message) from None


def time_of(timestamp: float) -> datetime:
    """Return the time of a timestamp of the framework; one that no time can represent is the present."""
    if math.isfinite(timestamp):
        try:
            return datetime.fromtimestamp(timestamp, UTC)
        except (OverflowError, ValueError, OSError):
            pass
    return datetime.now(UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, _KEPT):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return to_jsonable_python(value, serialize_unknown=True, inf_nan_mode="constants")
