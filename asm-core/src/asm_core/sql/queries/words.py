"""The syntax in which SQLite and PostgreSQL differ in a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from asm_core.sql.codec import Codec, codec_of
from asm_core.sql.dialects import Dialect
from asm_core.sql.queries.tags import TagClauses, tag_clauses
from asm_core.sql.schema.tables import ARTIFACT_COLUMNS, EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIMES: Final = frozenset({"created_at", "updated_at", "deleted_at", "started_at", "ended_at", "timestamp"})


class Words(NamedTuple):
    """The syntax of one dialect.

    Attributes:
        mark: the placeholder of a parameter.
        one_of: the condition after a column that must have one of several values, which are one parameter.
        unindexed: the prefix of a column whose index must not be used. Without statistics (before ANALYZE), SQLite
            would read all runs of a status or a provider to find those of one session. PostgreSQL estimates better.
        utc: the suffix of a time, so that the driver returns it in UTC in any time zone of the connection.
        at_most: limits a page of one session's log. PostgreSQL plans for the rows that a literal limit leaves by its
            statistics, which a new table lacks; a subquery keeps it on the index.
        readable: the condition that the session of a row, with its id in ``column``, is not in removal. Usually no
            session is, and then the condition costs one lookup in an empty index.
        tags: the conditions on a session's tags.
        codec: encodes parameters.
    """

    mark: str
    one_of: str
    unindexed: str
    utc: str
    at_most: str
    readable: str
    tags: TagClauses
    codec: Codec

    def columns(self, alias: str, names: Iterable[str]) -> str:
        """Return columns to select, in the form that the codec decodes."""
        return ", ".join(f"{alias}.{name}{self.utc if name in _TIMES else ''}" for name in names)


def words_of(dialect: Dialect) -> Words:
    """Return the syntax of a dialect."""
    return _WORDS[dialect]


_REMOVALS: Final = "FROM asm_sessions WHERE removing_at IS NOT NULL"
_READABLE: Final = f"{{column}} NOT IN (SELECT id {_REMOVALS})"
_WORDS: Final = {
    # https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms Using Unary-+"
    Dialect.SQLITE: Words(
        mark="?",
        one_of="IN (SELECT value FROM json_each(?))",
        unindexed="+",
        utc="",
        at_most="LIMIT {}",
        # SQLite would look up each row even in an empty list.
        readable=f"(NOT EXISTS (SELECT 1 {_REMOVALS}) OR {_READABLE})",
        tags=tag_clauses(Dialect.SQLITE),
        codec=codec_of(Dialect.SQLITE),
    ),
    Dialect.POSTGRESQL: Words(
        mark="%s",
        one_of="= ANY(CAST(%s AS text[]))",
        unindexed="",
        utc=" AT TIME ZONE 'UTC'",
        at_most="LIMIT (SELECT {})",
        readable=_READABLE,
        tags=tag_clauses(Dialect.POSTGRESQL),
        codec=codec_of(Dialect.POSTGRESQL),
    ),
}

SELECTED: Final = {
    dialect: {
        "s": words.columns("s", SESSION_COLUMNS),
        "r": words.columns("r", RUN_COLUMNS),
        "e": words.columns("e", EVENT_COLUMNS),
        "a": words.columns("a", ARTIFACT_COLUMNS),
    }
    for dialect, words in _WORDS.items()
}
"""The columns of each table, by the letter of the table."""
