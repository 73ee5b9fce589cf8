"""Conversion of untrusted values to text that is safe in messages, logs, pipes and terminals."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Controls (C0, DEL, C1), format characters (zero-width, direction, tags), line separators, surrogates and
# non-characters; then invisible letters and marks. One variation selector, for emoji style, is allowed.
_CONTROLS: Final = "\x00-\x1f\x7f-\x9f"
_OTHERS: Final = (
    "\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SECOND_SELECTOR: Final = "(?<=[\ufe00-\ufe0f])[\ufe0e\ufe0f]"
UNSAFE: Final = re.compile(f"[{_CONTROLS}{_OTHERS}]|{_SECOND_SELECTOR}")
"""Matches characters that can control a terminal, and invisible ones."""
_UNSAFE_BUT_NEWLINE: Final = re.compile(f"(?!\n)(?:{UNSAFE.pattern})")
_NAMED: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_ONE_BYTE: Final = 0x100
_TWO_BYTES: Final = 0x10000

_DEPTH: Final = 3
_OWN_NAME: Final[Any] = type.__dict__["__name__"]
_BASES: Final[Any] = type.__dict__["__mro__"]
_CONTENTS: Final[Any] = type.__dict__["__dict__"]
_PLAIN: Final = (bool, float, complex, type(None), type(...), range)
_PLAIN_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid", "zoneinfo"})
_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}


def visible(text: str, *, newlines: bool = False) -> str:
    r"""Escape characters in `text` that can control a terminal, and invisible ones; `newlines` keeps newlines.

    >>> visible("red \x1b[31m\n")
    'red \\x1b[31m\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return (_UNSAFE_BUT_NEWLINE if newlines else UNSAFE).sub(_escape, text)


def short_repr(value: object, limit: int = 80) -> str:
    """Format `value` for a message: like its repr, cut to `limit` characters.

    Only the `__repr__` of built-in and standard types is called: a foreign one may raise, or never return.

    >>> short_repr({"a": [1, None]})
    "{'a': [1, None]}"
    """
    try:
        text = _text(value, limit, _DEPTH)
    except Exception:  # noqa: BLE001  for example, another thread changes a dict
        text = object.__repr__(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def described(error: BaseException, limit: int = 300) -> str:
    """Format the type and message of a foreign exception on one line, escaped and cut to `limit` characters."""
    kind = _name(type(error))
    try:
        message = str(error)[: limit + 1]
        text = visible(f"{kind}: {message}" if message else kind)
    except BaseException:  # noqa: BLE001  its __str__ is foreign code
        text = f"{kind} (its message cannot be shown)"
    return text if len(text) <= limit else f"{text[:limit]}…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if named := _NAMED.get(found[0]):
        return named
    if code < _ONE_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _TWO_BYTES else f"\\U{code:08x}"


def _text(value: Any, limit: int, depth: int) -> str:  # noqa: PLR0911  one return for each type
    # Types are compared by identity: == or hash() may call their metaclass.
    kind = type(value)
    bases = _BASES.__get__(kind)
    if _among(str, bases):
        return repr(str.__getitem__(value, slice(limit)))
    if kind is int:
        bits = value.bit_length()
        return repr(value) if bits <= 4 * limit else f"<an integer of {bits} bits>"
    if _among(kind, _BRACKETS):
        return _container(value, limit, depth) if depth else "…"
    if kind is bytes or kind is bytearray:
        return repr(value[:limit])
    if _among(kind, _PLAIN) or kind is type or _CONTENTS.__get__(kind).get("__module__") in _PLAIN_MODULES:
        return repr(value)
    if _among(enum.Enum, bases):
        return f"<{_name(kind)}.{visible(object.__getattribute__(value, '_name_'))}>"
    return object.__repr__(value)


def _among(kind: type, kinds: Iterable[type]) -> bool:
    return any(kind is one for one in kinds)


def _container(value: Any, limit: int, depth: int) -> str:
    if type(value) is dict:
        parts = (f"{_text(key, limit, depth - 1)}: {_text(item, limit, depth - 1)}" for key, item in value.items())
        return f"{{{_joined(parts, limit)}}}"
    if not value and type(value) in {set, frozenset}:
        return f"{_name(type(value))}()"
    opening, closing = _BRACKETS[type(value)]
    text = _joined((_text(item, limit, depth - 1) for item in value), limit)
    return f"{opening}{text}{',' if type(value) is tuple and len(value) == 1 else ''}{closing}"


def _joined(parts: Iterable[str], limit: int) -> str:
    """Join as many parts as fit."""
    kept: list[str] = []
    length = 0
    for part in parts:
        kept.append(part)
        length += len(part)
        if length > limit:
            break
    return ", ".join(kept)


def _name(kind: type) -> str:
    name: str = _OWN_NAME.__get__(kind)
    return name if name.isidentifier() else repr(name[:40])
