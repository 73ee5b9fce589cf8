"""What a text index is asked for a search: runs of ASCII letters and digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from asm_core.querying.text_search import TextSearch

ANY: Final = "asmanytext"
"""The run that stands for a text that the index cannot read: it may match any search. Another text may have it, too."""
BEYOND: Final = "asmbeyondascii"
"""The run of each text that has a character that is not ASCII."""

LIGATURES: Final = {
    character: "".join(one if one.isascii() else " " for one in character.casefold())
    for character in (
        "\u00df\u0130\u0149\u017f\u01f0\u1e96\u1e97\u1e98\u1e99\u1e9a\u1e9e\u212a"
        "\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06"
    )
}
"""The characters that are not ASCII but fold to ASCII, and what a text has in their place."""

IDEOGRAPHS: Final = ((0x3400, 0x4DB5), (0x4E00, 0x9FCC), (0xAC00, 0xD7A3))
"""Letters that may extend a run, as they extend a word."""

_RUN: Final = re.compile(r"[a-z0-9]+")


class Run(NamedTuple):
    """A run of lower-case ASCII letters and digits.

    Attributes:
        text: its characters.
        is_beginning: whether a text needs only a run that begins with it.
    """

    text: str
    is_beginning: bool


def runs_of(search: TextSearch) -> list[Run]:
    """Return the runs that each matching text has, unless it is marked with `ANY`."""
    found: dict[Run, None] = {}
    for word in search.words:
        places = [] if any(map(_is_ideograph, word)) else list(_RUN.finditer(word))
        for place in places:
            is_beginning = word in search.beginnings and place.end() == len(word)
            found[Run(place[0], is_beginning)] = None
        if not places:
            found[Run(BEYOND, is_beginning=False)] = None
    return list(found)


def _is_ideograph(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in IDEOGRAPHS)
