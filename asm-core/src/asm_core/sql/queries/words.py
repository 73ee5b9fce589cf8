"""The syntax in which SQLite and PostgreSQL differ in a statement, and the names of the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from asm_core.querying.accounting.periods import EPOCH
from asm_core.sql.dialects import Dialect
from asm_core.sql.queries.tags import tag_clauses
from asm_core.sql.rows.codec import codec_of
from asm_core.sql.schema.tables import ARTIFACT_COLUMNS, EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS, STATE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIMES: Final = frozenset(
    {"created_at", "updated_at", "deleted_at", "started_at", "ended_at", "timestamp", "active_at", "expires_at"}
)

_UNIX_EPOCH: Final = (datetime(1970, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
"""Seconds from the begin of bucket 0 to that of Unix time."""


class Words:
    """The syntax of one dialect, with the tables in one schema.

    Attributes:
        dialect: the dialect.
        schema: the schema of the tables; None: the one of the connection.
        place: the prefix of the name of a table.
        codec: encodes parameters and decodes rows.
        tags: the conditions on a session's tags.
        tables: the name of each table in a statement, by ``sessions``, ``runs``, ``events``, ``counters``,
            ``artifacts``, ``state``, ``migrations``; attributes of these names are the same.
        selected: the columns of sessions ``s``, runs ``r``, events ``e``, artifacts ``a``, records of state ``k``, as
            the codec decodes them.
        mark: the placeholder of a parameter.
        one_of: the condition after a column that must have one of several values, which are one parameter.
        row: the column with the place of a row, which is valid in one statement.
        one_found: the condition after that column that a subquery returns it. PostgreSQL executes an array's subquery
            once, and finds the rows by their places without a scan of the table, whatever it estimates.
        unindexed: the prefix of a column whose index must not be used. Without statistics (before ANALYZE), SQLite
            would read all runs of a status or a provider to find those of one session. PostgreSQL estimates better.
        utc: the suffix of a time, so that the driver returns it in UTC in any time zone of the connection.
        at_most: limits a page of one session's log. PostgreSQL plans for the rows that a literal limit leaves by its
            statistics, which a new table lacks; a subquery keeps it on the index.
        in_order: the end of a subquery that reads a log in order, so that other conditions do not change its plan.
            PostgreSQL estimates the rows that pass them, and would sort all of too few; empty on SQLite.
        contains: the condition that a column contains a text, which is one parameter.
        contains_folded: the condition that a column contains a text in lower case, in any case; only ASCII is folded.
        beyond_ascii: the condition that the JSON text of a column has characters that are not ASCII, maybe escaped.
        by_index: the join whose first table is read in the order of an index. Without statistics, SQLite might begin
            with the other table.
        differs: the operator of inequality for which NULL is a value.
        second: an expression for a time without its fraction of a second.
        greatest: the function that returns the greatest of its arguments.
        run_key: the key of a run, at which an insertion finds the stored one: the id, or on PostgreSQL the name of the
            primary key, which is session and id where the table is partitioned.
        singly: whether row locks are taken in a statement for each session, as a distributed PostgreSQL needs it.
        readable: the condition that the session of a row, with its id in ``column``, is not in removal. Usually no
            session is, and then the condition costs one lookup in an empty index.
        bucket: the number of the bucket of a time, for `str.format` with the fields ``column`` and ``seconds``.
    """

    mark = "?"
    one_of = "IN (SELECT value FROM json_each(?))"
    row = "rowid"
    one_found = "IN ({})"
    # https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms Using Unary-+"
    unindexed = "+"
    utc = ""
    at_most = "LIMIT {}"
    in_order = ""
    contains = "instr({column}, ?) > 0"
    contains_folded = "instr(lower({column}), ?) > 0"
    beyond_ascii = r"(length({column}) <> length(CAST({column} AS BLOB)) OR instr({column}, '\u') > 0)"
    by_index = "CROSS JOIN"
    differs = "IS NOT"
    second = "substr({}, 1, 19) || '.000000Z'"
    greatest = "MAX"
    run_key = "(id)"
    singly = False
    # strftime() would round the fraction of a second.
    bucket = f"(CAST(strftime('%s', substr({{column}}, 1, 19)) AS INTEGER) + {_UNIX_EPOCH}) / {{seconds}}"

    def __init__(self, dialect: Dialect, schema: str | None = None) -> None:
        """Use the tables in `schema`, a checked name."""
        self.dialect = dialect
        self.schema = schema
        self.codec = codec_of(dialect)
        self.tags = tag_clauses(dialect)
        self.place = place = "" if schema is None else f'"{schema}".'
        self.sessions = f"{place}asm_sessions"
        self.runs = f"{place}asm_runs"
        self.events = f"{place}asm_events"
        self.counters = f"{place}asm_session_sequences"
        self.artifacts = f"{place}asm_artifacts"
        self.state = f"{place}asm_state"
        self.migrations = f"{place}asm_schema_migrations"
        names = ("sessions", "runs", "events", "counters", "artifacts", "state", "migrations")
        self.tables = {name: getattr(self, name) for name in names}
        self.selected = {
            "s": self.columns("s", [name for name in SESSION_COLUMNS if name != "title_folded"]),
            "r": self.columns("r", RUN_COLUMNS),
            "e": self.columns("e", EVENT_COLUMNS),
            "a": self.columns("a", ARTIFACT_COLUMNS),
            "k": self.columns("k", STATE_COLUMNS),
        }
        self.readable = self._readable()

    def columns(self, alias: str, names: Iterable[str]) -> str:
        """Return columns to select, in the form that the codec decodes."""
        return ", ".join(f"{alias}.{name}{self.utc if name in _TIMES else ''}" for name in names)

    def locking(self, strength: str) -> str:  # noqa: ARG002  SQLite locks the file
        """Return what follows a SELECT to lock its rows, where the database has row locks: UPDATE, KEY SHARE."""
        return ""

    def _readable(self) -> str:
        removals = f"FROM {self.sessions} m WHERE m.removing_at IS NOT NULL"
        # SQLite would look up each row even in an empty list.
        return f"(NOT EXISTS (SELECT 1 {removals}) OR {{column}} NOT IN (SELECT m.id {removals}))"


class _PostgreSQLWords(Words):
    mark = "%s"
    one_of = "= ANY(CAST(%s AS text[]))"
    row = "ctid"
    one_found = "= ANY(ARRAY({}))"
    unindexed = ""
    utc = " AT TIME ZONE 'UTC'"
    at_most = "LIMIT (SELECT {})"
    in_order = f"LIMIT (SELECT {(1 << 62) - 1})"
    contains = "strpos({column}, %s) > 0"
    contains_folded = 'strpos(lower({column}::text COLLATE "C"), %s) > 0'
    # A backslash in a literal has another meaning without standard_conforming_strings.
    beyond_ascii = (
        "(octet_length({column}::text) <> char_length({column}::text) OR strpos({column}::text, chr(92) || 'u') > 0)"
    )
    by_index = "JOIN"
    differs = "IS DISTINCT FROM"
    second = "date_trunc('second', {})"
    greatest = "GREATEST"
    run_key = "ON CONSTRAINT asm_runs_pkey"
    bucket = f"div(floor(extract(epoch from {{column}})) + {_UNIX_EPOCH}, {{seconds}})::bigint"

    def __init__(self, dialect: Dialect, schema: str | None = None, *, singly: bool = False) -> None:
        super().__init__(dialect, schema)
        self.singly = singly

    def locking(self, strength: str) -> str:
        return f" FOR {strength}"

    def _readable(self) -> str:
        return f"{{column}} NOT IN (SELECT m.id FROM {self.sessions} m WHERE m.removing_at IS NOT NULL)"


@lru_cache(maxsize=64)
def words_of(dialect: Dialect, schema: str | None = None, *, singly: bool = False) -> Words:
    """Return the syntax of a dialect; the same object for the same arguments.

    Args:
        dialect: the dialect.
        schema: the PostgreSQL schema of the tables, a checked name; None: that of the connection.
        singly: take row locks in a statement for each session; PostgreSQL only.
    """
    return _PostgreSQLWords(dialect, schema, singly=singly) if dialect is Dialect.POSTGRESQL else Words(dialect, schema)
