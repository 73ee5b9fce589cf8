"""Text as it may be shown.

What is recorded comes from anywhere. Nothing of it may reach a terminal as a command: control characters, escape
sequences and what turns the direction of writing are shown as escapes instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asm_core.payloads import encode_json

if TYPE_CHECKING:
    from decimal import Decimal

# C0, DEL and C1; line and paragraph separators; overrides and isolates of direction; surrogates; non-characters.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
_UNSAFE_BUT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def visible(text: str, *, newlines: bool = False) -> str:
    r"""Return `text` with every character that a terminal might obey as an escape; newlines are kept if asked for.

    >>> visible("red \x1b[31m\n")
    'red \\x1b[31m\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return (_UNSAFE_BUT_NEWLINE if newlines else _UNSAFE).sub(_escape, text)


def json_text(value: object) -> str:
    r"""Return `value` as JSON on one line, in which no character is one that a terminal might obey.

    >>> json_text({"text": "\x9b31m é"})
    '{"text":"\\u009b31m é"}'
    """
    text = encode_json(value).decode()
    # JSON escapes the control characters of ASCII, but not DEL.
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def age(since: datetime) -> str:
    """Return the time since then in its greatest unit: ``12s``, ``5m``, ``3h``, ``4d``."""
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{seconds // size}{unit}"


def moment(time: datetime) -> str:
    """Return a time as it is shown: in UTC, to the millisecond."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def dollars(amount: Decimal) -> str:
    """Return an amount of US dollars, exactly, without an exponent.

    >>> from decimal import Decimal
    >>> dollars(Decimal("0.0000001"))
    '0.0000001'
    """
    return f"{amount:f}"


def summary(data: dict[str, Any]) -> str:
    """Return what an event's data says, on one line: its text, then everything else as ``key=value``.

    >>> summary({"stream": "stdout", "text": "hello"})
    'stdout: hello'
    >>> summary({"exit_code": 0, "error": None})
    'exit_code=0 error=null'
    """
    rest = dict(data)
    parts = []
    for key in ("text", "content"):
        if isinstance(rest.get(key), str):
            text = rest.pop(key)
            stream = rest.pop("stream", None)
            parts.append(f"{stream}: {text}" if isinstance(stream, str) else text)
            break
    parts += [f"{key}={_value(value)}" for key, value in rest.items()]
    return " ".join(parts)


def _value(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else encode_json(value).decode()


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _NAMED.get(found[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004  one byte
