"""The text index on PostgreSQL: GIN on the words of an event, which a function computes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import StorageError, ValidationError
from asm_core.ports import TextIndex
from asm_core.sql.queries.where import Statement
from asm_core.sql.text_search.index import MOST, Texts
from asm_core.sql.text_search.postgresql_schema import BODY, FUNCTION, INDEX, LONGEST
from asm_core.sql.text_search.terms import ANY, runs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.querying.text_search import TextSearch

_LOCK: Final = "SELECT pg_advisory_xact_lock(7237973421)"
"""Serialises the creation of the function; the number is arbitrary."""
_TRIES: Final = 5
_REST: Final = 0.1
_STATE: Final = (
    "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    f"WHERE i.indrelid = to_regclass('{{events}}') AND c.relname = '{INDEX}'"
)
_FUNCTION: Final = "SELECT p.prosrc FROM pg_proc p WHERE p.oid = to_regprocedure('{place}asm_words(json)')"
_BUILDING: Final = (
    "SELECT 1 FROM pg_stat_progress_create_index p "
    "WHERE p.relid = to_regclass('{events}') OR p.relid IN (SELECT t.relid FROM pg_partition_tree('{events}') t)"
)
_LEAVES: Final = (
    "SELECT t.relid::regclass::text, c.relname::text FROM pg_partition_tree('{events}') t "
    "JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf AND t.level > 0 ORDER BY 2"
)
_MATCHES: Final = "FROM {events} e WHERE {place}asm_words(e.data) @@ CAST(%s AS tsquery)"
_REBUILD: Final = "Remove the index with `asm db upgrade --no-text-search`, and build it again with --text-search."


class PostgreSQLTexts(Texts):
    """Builds, removes and asks a GIN index."""

    def state(self) -> TextIndex:
        """Return whether there is an index, and whether it has all events."""
        found = self._ask(_STATE)
        return TextIndex.ABSENT if not found else TextIndex.COMPLETE if found[0][0] else TextIndex.INCOMPLETE

    def build(self) -> None:
        """Build the index concurrently: the server waits for transactions that began before, and blocks none.

        Raises:
            ValidationError: the encoding of the database is not UTF-8.
            StorageError: a transaction is open, or the server cannot build the index.
        """
        self.check_alone()
        [(encoding,)] = self._ask("SHOW server_encoding")
        if encoding != "UTF8":
            message = f"A text index needs a database in the encoding UTF8, not {encoding}. Search without one."
            raise ValidationError(message)
        with self._database.write() as connection:
            connection.execute_sql(_LOCK)
            if not connection.execute_sql(self._named(_FUNCTION)).fetchall():
                connection.execute_sql(self._named(FUNCTION))
        for tries in range(_TRIES):
            self._wait_for_others()
            if self.state() is TextIndex.COMPLETE:
                return
            try:
                self._database.execute_alone(self._steps())
            except StorageError:
                # Another process that builds it at the same time may be chosen by the server in a deadlock.
                if tries == _TRIES - 1:
                    raise

    def remove(self) -> None:
        """Remove the index.

        Raises:
            StorageError: a transaction is open.
        """
        self.check_alone()
        at_once = "" if self._leaves() else "CONCURRENTLY "
        drop = f"DROP INDEX {at_once}IF EXISTS {{place}}{INDEX}"
        self._database.execute_alone([self._named(drop), self._named("DROP FUNCTION IF EXISTS {place}asm_words(json)")])

    def candidates(self, search: TextSearch) -> Statement | None:
        """Return the table ``e`` of the events that may match, unless they are too many."""
        if self.state() is not TextIndex.COMPLETE:
            return None
        matches, match = self._named(_MATCHES), _match(search)
        [(count,)] = self._ask(f"SELECT count(*) FROM (SELECT 1 {matches} LIMIT {MOST + 1}) few", (match,))
        # OFFSET keeps the planner from another index, for the order of the search.
        return Statement(f"(SELECT e.* {matches} OFFSET 0) e", [match]) if count <= MOST else None

    def faults(self) -> list[str]:
        """Return what is wrong with the index."""
        state = self.state()
        if state is TextIndex.ABSENT:
            return []
        if state is TextIndex.INCOMPLETE:
            return ["The text index is incomplete, and not used. `asm db upgrade --text-search` completes it."]
        [(body,)] = self._ask(_FUNCTION)
        return [] if body == BODY else [f"The function asm_words of the text index was changed. {_REBUILD}"]

    def _steps(self) -> list[str]:
        """Return the statements that build the index, and first remove one that is not complete."""
        leaves = self._leaves()
        if not leaves:
            return [self._named(f"DROP INDEX CONCURRENTLY IF EXISTS {{place}}{INDEX}"), self._index("{events}")]
        steps = [self._named(f"DROP INDEX IF EXISTS {{place}}{INDEX}")]
        steps += [self._named(f"DROP INDEX CONCURRENTLY IF EXISTS {{place}}{name}_by_text") for _, name in leaves]
        steps += [self._index(table, f"{name}_by_text") for table, name in leaves]
        steps += [self._index("ONLY {events}", at_once="")]
        attach = f"ALTER INDEX {{place}}{INDEX} ATTACH PARTITION {{place}}"
        return steps + [self._named(f"{attach}{name}_by_text") for _, name in leaves]

    def _index(self, table: str, name: str = INDEX, *, at_once: str = "CONCURRENTLY ") -> str:
        return self._named(f"CREATE INDEX {at_once}{name} ON {table} USING gin ({{place}}asm_words(data))")

    def _leaves(self) -> Sequence[tuple[str, str]]:
        """Return the tables of the partitions, as the connection names them, and their names."""
        return self._ask(_LEAVES)

    def _wait_for_others(self) -> None:
        while self._ask(_BUILDING):
            time.sleep(_REST)

    def _named(self, statement: str) -> str:
        words = self._database.words
        return statement.format(events=words.events, place=words.place)

    def _ask(self, question: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._database.read() as connection:
            rows: list[Any] = connection.execute_sql(self._named(question), parameters).fetchall()
        return rows


def _match(search: TextSearch) -> str:
    """Return the text of the tsquery for the events that may match."""
    runs = [(run.text[:LONGEST], run.is_beginning or len(run.text) > LONGEST) for run in runs_of(search)]
    lexemes = [f"'{text}'{':*' if is_beginning else ''}" for text, is_beginning in runs]
    return f"({' & '.join(lexemes)}) | '{ANY}'"
