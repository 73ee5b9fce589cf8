"""Text that is safe to show.

Recorded text is untrusted and must not control a terminal. Control characters, escape sequences and marks of direction
are shown as escapes.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from asm_core.conversation.references import replaced
from asm_core.escaping import UNSAFE
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    import re
    from decimal import Decimal

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def json_text(value: object) -> str:
    r"""Return `value` as JSON on one line, with control characters escaped.

    >>> json_text({"text": "\x9b31m é"})
    '{"text":"\\u009b31m é"}'
    """
    try:
        text = encode_json(value).decode()
    except UnicodeEncodeError:  # a lone surrogate, as in the name of a file that is not UTF-8
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    return text if text.isascii() and text.isprintable() else UNSAFE.sub(_json_escape, text)


def json_lines(value: object) -> str:
    r"""Return `value` as indented JSON, with control characters escaped.

    >>> print(json_lines({"text": "\x9b31m é"}))
    {
      "text": "\u009b31m é"
    }
    """
    lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(UNSAFE.sub(_json_escape, line) for line in lines)


def age(since: datetime) -> str:
    """Return the time since then in its largest unit: ``12s``, ``5m``, ``3h``, ``4d``."""
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{seconds // size}{unit}"


def duration(time: timedelta | None) -> str:
    """Format a duration in its two largest units; an unknown one is ``-``.

    >>> [duration(timedelta(seconds=seconds)) for seconds in (0.034, 2.34, 75, 3720, 180_000)]
    ['0.03s', '2.3s', '1m15s', '1h02m', '2d02h']
    """
    if time is None:
        return "-"
    seconds = max(0.0, time.total_seconds())
    if seconds < _UNITS[2][0]:
        return f"{seconds:.{1 if seconds >= 1 else 2}f}s"
    for (size, unit), (smaller, small) in itertools.pairwise(_UNITS):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}{int(seconds % size // smaller):02}{small}"
    raise AssertionError


def counted(number: int | None, noun: str) -> str:
    """Format a number of things; None counts as 0.

    >>> counted(1, "run"), counted(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{number or 0:,} {noun}{'' if number == 1 else 's'}"


def moment(time: datetime) -> str:
    """Format a time in UTC, to the millisecond."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def dollars(amount: Decimal | None) -> str:
    """Format an exact amount of US dollars without an exponent; an unknown one is ``-``.

    >>> from decimal import Decimal
    >>> dollars(Decimal("0.0000001")), dollars(None)
    ('0.0000001', '-')
    """
    return "-" if amount is None else f"{amount:f}"


def summary(data: dict[str, Any]) -> str:
    r"""Format an event's data on one line: its text without a last newline, then all other keys as ``key=value``.

    >>> summary({"stream": "stdout", "delta": "hello\n"})
    'stdout: hello'
    >>> summary({"exit_code": 0, "error": None})
    'exit_code=0 error=null'
    """
    rest = with_notes(data)
    parts = []
    for key in ("delta", "text", "content"):
        if isinstance(rest.get(key), str):
            text = rest.pop(key).removesuffix("\n")
            stream = rest.pop("stream", None)
            parts.append(f"{stream}: {text}" if isinstance(stream, str) else text)
            break
    parts += [f"{key}={_value(value)}" for key, value in rest.items()]
    return " ".join(parts)


def with_notes(data: dict[str, Any]) -> dict[str, Any]:
    """Return an event's data with a note that replaces each value that is stored as an artifact."""
    noted: dict[str, Any] = replaced(data, "[{}]".format)
    return noted


def _value(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else encode_json(value).decode()


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
