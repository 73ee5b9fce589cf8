"""Expressions of bounded length that also match their own beginnings at the end of a text."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

ESCAPED: Final = r"(?<=\\[nrt].)|(?<=%[0-9A-Fa-f]{2}.)"
"""One character after an escaped newline or tabulator of JSON, or an escaped character of a URL."""
BOUNDARY: Final = rf"(?:(?<![A-Za-z0-9].)|{ESCAPED})"
"""One character after the beginning of a word."""


class Expression(NamedTuple):
    """A regular expression, and one for its beginnings.

    Attributes:
        full: matches the whole.
        begun: matches what may become a match of `full` with further text, if it stands at the end of a text.
        length: the largest length of a match.
    """

    full: str
    begun: str
    length: int


def literal(text: str, condition: str = "", *, any_case: bool = False) -> Expression:
    """Match a text. `condition` is a lookbehind that must hold after its first character.

    The first character comes first, because `re` then skips an alternative at once.
    """
    letters = [f"[{letter.lower()}{letter.upper()}]" if any_case else re.escape(letter) for letter in text]
    begun = ""
    for letter in reversed(letters[1:-1]):
        begun = f"(?:{letter}{begun})?"
    begun = rf"{letters[0]}{condition}{begun}\Z" if len(text) > 1 else "(?!)"
    return Expression(letters[0] + condition + "".join(letters[1:]), begun, len(text))


def run(characters: str, least: int, most: int | None = None) -> Expression:
    """Match between `least` and `most` characters of a class; without `most`, exactly `least`."""
    if most is None:
        begun = rf"{characters}{{0,{least - 1}}}\Z"
        return Expression(f"{characters}{{{least}}}", begun, least)
    # All of them may be followed by more.
    return Expression(f"{characters}{{{least},{most}}}", rf"{characters}{{0,{most}}}\Z", most)


def sequence(*parts: Expression) -> Expression:
    """Match one after the other."""
    begun = parts[-1].begun
    for part in reversed(parts[:-1]):
        begun = f"(?:{part.begun}|{part.full}{begun})"
    return Expression("".join(part.full for part in parts), begun, sum(part.length for part in parts))


def choice(*parts: Expression) -> Expression:
    """Match the first that matches."""
    return Expression(
        f"(?:{'|'.join(part.full for part in parts)})",
        f"(?:{'|'.join(part.begun for part in parts)})",
        max(part.length for part in parts),
    )
