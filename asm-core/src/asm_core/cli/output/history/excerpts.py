"""The lines of events in which a search found its words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from asm_core.cli.output.history.sequences import SEQUENCES
from asm_core.querying.text_search import strings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import Event
from asm_core.querying.text_search import TextSearch

_LONGEST: Final = 400
"""Characters of a line that are shown. A longer one is cut to what is around the first hit."""
_REMOVED: Final = re.compile(rf"^\r+|{SEQUENCES.pattern}")
_LEAD: Final = 80
"""Characters before the first hit of a line that is cut."""


class Line(NamedTuple):
    """A line of an event's text.

    Attributes:
        text: the line, cut if it is long.
        hits: where words of the search are in it, as begin and end; a line of context has none.
    """

    text: str
    hits: list[tuple[int, int]]


def excerpt(event: Event, search: TextSearch, *, context: int) -> list[list[Line]]:
    """Return the pieces of an event's strings that have hits, each with `context` lines before and after it."""
    return [piece for text in strings_of(event.data) for piece in _pieces(text, search, context)]


def without_sequences(line: Line) -> Line:
    r"""Return a line without escape sequences of terminals, and without a carriage return at its end.

    >>> without_sequences(Line("\x1b[1mred\x1b[0m flag\r", [(4, 16)]))
    Line(text='red flag', hits=[(0, 8)])
    """
    text, hits = line
    text = text.removesuffix("\r")
    removed = [found.span() for found in _REMOVED.finditer(text)]

    def moved(place: int) -> int:
        return place - sum(min(end, place) - begin for begin, end in removed if begin < place)

    return Line(_REMOVED.sub("", text), [(moved(begin), moved(end)) for begin, end in hits])


def _pieces(text: str, search: TextSearch, context: int) -> Iterator[list[Line]]:
    places = search.places(text)
    if not places:
        return
    lines = list(_lines(text, places))
    chosen: list[Line] = []
    last = None
    for number in _numbers_near([number for number, line in enumerate(lines) if line.hits], context, len(lines)):
        if last is not None and number != last + 1:
            yield chosen
            chosen = []
        chosen.append(_cut(lines[number]))
        last = number
    yield chosen


def _numbers_near(hits: list[int], context: int, count: int) -> list[int]:
    """Return the numbers of lines at most `context` away from a hit, in order."""
    found: list[int] = []
    for hit in hits:
        first = max(hit - context, found[-1] + 1 if found else 0)
        found += range(first, min(hit + context, count - 1) + 1)
    return found


def _lines(text: str, places: list[tuple[int, int]]) -> Iterator[Line]:
    begin, index = 0, 0
    for line in text.split("\n"):
        end = begin + len(line)
        hits = []
        while index < len(places) and places[index][0] < end:
            first, last = places[index]
            hits.append((max(first, begin) - begin, min(last, end) - begin))
            if last > end:  # a phrase that goes on in the next line
                break
            index += 1
        yield Line(line, hits)
        begin = end + 1


def _cut(line: Line) -> Line:
    text, hits = line
    if len(text) <= _LONGEST:
        return line
    start = max(0, hits[0][0] - _LEAD) if hits else 0
    end = start + _LONGEST
    before, after = "…" if start else "", "…" if end < len(text) else ""
    move = len(before) - start
    kept = [(begin + move, min(last, end) + move) for begin, last in hits if begin < end]
    return Line(f"{before}{text[start:end]}{after}", kept)
