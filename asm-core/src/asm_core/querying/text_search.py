"""The text of a search, and which events match it: the same on every store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import ValidationError, short_repr
from asm_core.values.ids import check_name

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WORDS: Final = 100
"""The largest number of words of a search: each is a condition of a statement."""

_WORD: Final = re.compile(r"[^\W_]+")
_TERM: Final = re.compile(r'"([^"]*)"|([^\s"]+)')
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])")
"""An escape sequence of a terminal, in lower case or not: a colour, a movement, or the begin of a title."""
_BEFORE: Final = r"(?<![^\W_])"
_BETWEEN: Final = r"[\W_]+"
_REST: Final = r"[^\W_]*"
_AFTER: Final = r"(?![^\W_])"


class TextSearch:
    r"""A checked search for words in the data of events.

    A word is a run of letters and digits, in any case (`str.casefold`). Escape sequences of terminals separate words.
    All words must occur as whole words, each anywhere in the strings of an event's data. Words of one term must follow
    each other in one string: a term is a text in double quotes, or without spaces. A term that ends with `*` also
    matches longer last words.

    >>> search = TextSearch.of('refused "no route" time*')
    >>> search.matches({"error": "Connection REFUSED: no route", "notes": ["timeout"]})
    True
    >>> search.matches({"error": "refused, no such route in time"})
    False
    >>> TextSearch.of("refused").matches({"delta": "\x1b[31mrefused\x1b[0m"})
    True

    Attributes:
        words: all words, casefolded, without duplicates.
        beginnings: the words of which an event needs only the beginning of a longer word.
    """

    __slots__ = ("_any", "_terms", "beginnings", "words")

    def __init__(self, terms: list[tuple[list[str], bool]]) -> None:
        """Search for terms: the casefolded words of each, and whether the last one is the beginning of a word."""
        self.words = tuple(dict.fromkeys(word for words, _ in terms for word in words))
        whole = {word for words, is_prefix in terms for word in (words[:-1] if is_prefix else words)}
        self.beginnings = frozenset(self.words) - whole
        patterns = [_BEFORE + _BETWEEN.join(words) + ("" if is_prefix else _AFTER) for words, is_prefix in terms]
        # A pattern that begins with a look behind is slow where its first word is not: that is looked for before.
        self._terms = [(words[0], re.compile(pattern)) for (words, _), pattern in zip(terms, patterns, strict=True)]
        # A prefix is shown with the rest of its word.
        self._any = re.compile("|".join(one if one.endswith(_AFTER) else one + _REST for one in patterns))

    @classmethod
    def of(cls, text: object) -> TextSearch:
        """Return the search for a text.

        Raises:
            ValidationError: `text` is not a valid name, has no word, or has more than `MAX_WORDS` words.
        """
        terms = []
        for quoted, plain in _TERM.findall(_folded(check_name("text", text))):
            term = quoted or plain
            if words := _WORD.findall(term):
                terms.append((words, term.endswith(words[-1] + "*")))
        count = sum(len(words) for words, _ in terms)
        if not 0 < count <= MAX_WORDS:
            message = f"text must have 1 to {MAX_WORDS} words of letters and digits, not {count}: {short_repr(text)}."
            raise ValidationError(message)
        return cls(terms)

    def matches(self, data: dict[str, Any]) -> bool:
        """Return whether each term occurs in a string of an event's data, at any depth; keys are not searched."""
        missing = self._terms
        for text in strings_of(data):
            folded = _folded(text)
            missing = [(word, term) for word, term in missing if word not in folded or term.search(folded) is None]
            if not missing:
                return True
        return False

    def places(self, text: str) -> list[tuple[int, int]]:
        """Return where terms occur in a text, as begin and end.

        >>> TextSearch.of("straße").places("Zur STRASSE, zur Straße")
        [(4, 11), (17, 23)]
        """
        folded = _folded(text)
        found = [match.span() for match in self._any.finditer(folded)]
        if len(folded) == len(text) or not found:
            return found
        # Casefolding may lengthen a character, but treats each by itself.
        origin = [place for place, character in enumerate(text) for _ in character.casefold()]
        return [(origin[begin], origin[end - 1] + 1) for begin, end in found]


def _folded(text: str) -> str:
    """Fold the case, and replace each escape sequence by as many spaces."""
    folded = text.casefold()
    return _SEQUENCE.sub(lambda found: " " * len(found[0]), folded) if "\x1b" in folded else folded


def strings_of(data: object) -> Iterator[str]:
    """Yield the strings among the values of JSON data, at any depth, in order."""
    remaining = [data]
    while remaining:
        value = remaining.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            remaining.extend(reversed(value.values()))
        elif isinstance(value, list):
            remaining.extend(reversed(value))
