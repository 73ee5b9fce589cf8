"""Values that are assigned to the name of a secret: ``password = "..."``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from asm_core.redaction.rules import (
    AUTHORIZATION,
    LEAST_SECRET,
    PASSWORD,
    PASSWORD_NAMES,
    SECRET,
    SECRET_NAMES,
)

SEPARATORS: Final = re.compile(r"[ \t=>]*")
SCHEME: Final = re.compile(r"(?:bearer|basic|token|digest|apikey|bot)[ \t]{1,4}", re.IGNORECASE)
SCHEME_BEGUN: Final = re.compile(r"[A-Za-z]{1,6}[ \t]{0,4}\Z")

_QUOTE: Final = re.compile(r"(\\{0,4})([\"'`])")
_QUOTE_BEGUN: Final = re.compile(r"\\{1,4}\Z")
_PLACEHOLDER: Final = re.compile(
    r"\[REDACTED|\$\{|\$\(|\{\{|(?:null|none|true|false|undefined|string|str)(?![A-Za-z0-9_])", re.IGNORECASE
)
_CODE: Final = re.compile(r"[$<({\[*%\\]|(?:os|self|process|env|config|settings)\.|[A-Za-z0-9_.]{0,14}\(")
"""Beginnings of values without quotes that are expressions, or names of other values."""
_DECISIVE: Final = 16
"""The number of characters that decide whether a value is a secret."""

BARE: Final = re.compile(r"[^\s\"'`&<\\]*")
_QUOTED: Final = {quote: re.compile(rf"(?:[^{quote}\\\r\n]|\\[^\r\n])*") for quote in "\"'`"}
_ESCAPED: Final = re.compile(r"[^\"'`\\\r\n]*")


class Quote(NamedTuple):
    """The quote that begins a value.

    Attributes:
        end: where it ends.
        rest: the expression of the value in it.
    """

    end: int
    rest: re.Pattern[str]


def quote_at(text: str, start: int, *, is_last: bool) -> Quote | None:
    """Return the quote at a place, perhaps none; None if more text decides."""
    if not is_last and _QUOTE_BEGUN.match(text, start):
        return None
    found = _QUOTE.match(text, start)
    if found is None:
        return Quote(start, BARE)
    return Quote(found.end(), _ESCAPED if found[1] else _QUOTED[found[2]])


def is_secret(text: str, start: int, rest: re.Pattern[str], category: str, *, is_last: bool) -> bool | None:
    """Return whether the value at a place is a secret; None if more text decides."""
    value = text[start : start + _DECISIVE]
    length = len(rest.match(value)[0])  # type: ignore[index]  # it matches nothing too
    if length == len(value) < _DECISIVE and not is_last:
        return None
    if _PLACEHOLDER.match(value) or (rest is BARE and _CODE.match(value)):
        return False
    return length >= (1 if category == PASSWORD else LEAST_SECRET)


def category_of(name: str) -> str | None:
    """Return the category of the values of a key, or of an option such as ``--api-key``; None if it names no secret.

    >>> category_of("DB_PASSWORD"), category_of("--token"), category_of("token_usage")
    ('password', 'secret', None)
    """
    folded = name.lower()
    for category, ends in ((AUTHORIZATION, AUTHORIZATION), (PASSWORD, PASSWORD_NAMES), (SECRET, SECRET_NAMES)):
        if folded.endswith(ends):
            return category
    return None
