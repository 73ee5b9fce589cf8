"""Filters on tags: clauses for the statements of each dialect.

Each is one clause with all tags in one parameter, so that it costs the same for one tag and for ten thousand. The
pieces have fields for `str.format`; `clause_parts` splits them for an ORM that composes statements of nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from asm_core.sql.dialects import Dialect
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIELD: Final = re.compile(r"\{(\w+)\}")


class TagClauses(NamedTuple):
    """The conditions on a session's tags in one dialect.

    Attributes:
        carries_all: has the fields ``tags`` (the column), ``wanted`` (what `tag_list` returns) and ``count`` (how many
            different tags those are).
        carries_any: has the fields ``tags`` and ``wanted``.
    """

    carries_all: str
    carries_any: str


# The list of wanted tags does not depend on a row, so SQLite builds it once for a statement, and looks up each tag.
_SQLITE: Final = TagClauses(
    carries_all=(
        "(SELECT count(*) FROM json_each({tags}) AS tag "
        "WHERE tag.value IN (SELECT wanted.value FROM json_each({wanted}) AS wanted)) = {count}"
    ),
    carries_any=(
        "EXISTS (SELECT 1 FROM json_each({tags}) AS tag "
        "WHERE tag.value IN (SELECT wanted.value FROM json_each({wanted}) AS wanted))"
    ),
)
_POSTGRESQL: Final = TagClauses(
    carries_all="({tags} @> CAST({wanted} AS jsonb))",
    carries_any="({tags} ?| ARRAY(SELECT jsonb_array_elements_text(CAST({wanted} AS jsonb))))",
)
_CLAUSES: Final = {Dialect.SQLITE: _SQLITE, Dialect.POSTGRESQL: _POSTGRESQL}


def tag_clauses(dialect: Dialect) -> TagClauses:
    """Return the conditions of a dialect."""
    return _CLAUSES[dialect]


def tag_list(tags: Sequence[str]) -> str:
    """Return several tags as one parameter of any dialect."""
    return encode_json(list(tags)).decode()


def clause_parts(clause: str) -> Iterator[tuple[str, str | None]]:
    """Yield the text before each field of a clause and the field's name; None after the last text.

    >>> list(clause_parts("({tags} @> {wanted})"))
    [('(', 'tags'), (' @> ', 'wanted'), (')', None)]
    """
    pieces = _FIELD.split(clause)
    yield from zip(pieces[::2], [*pieces[1::2], None], strict=True)
