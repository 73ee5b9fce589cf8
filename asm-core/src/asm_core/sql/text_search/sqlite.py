"""The text index on SQLite: FTS5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.errors import StorageError
from asm_core.event_log.consistency import SHOWN
from asm_core.ports import TextIndex
from asm_core.sql.queries.maintenance.erasing import overwrite_deleted
from asm_core.sql.queries.where import Statement
from asm_core.sql.text_search.index import MOST, Texts
from asm_core.sql.text_search.sqlite_schema import CREATION, DROPPED, TRIGGERS
from asm_core.sql.text_search.terms import ANY, runs_of

if TYPE_CHECKING:
    from asm_core.querying.text_search import TextSearch
    from asm_core.sql.dialects import Execute

_BATCH: Final = 500
"""The number of events that one transaction adds to the index."""
_PAGES: Final = 200
"""The number of pages of the index that one transaction merges."""

_EXISTS: Final = "SELECT 1 FROM sqlite_master WHERE name = 'asm_text_index'"
_NEXT: Final = f"SELECT max(n.id) FROM (SELECT e.id FROM asm_events e WHERE e.id > ? ORDER BY e.id LIMIT {_BATCH}) n"
_ADD: Final = (
    "INSERT INTO asm_texts (event_id) SELECT e.id FROM asm_events e WHERE e.id > ? AND e.id <= ? "
    "AND NOT EXISTS (SELECT 1 FROM asm_texts t WHERE t.event_id = e.id)"
)
_MERGE: Final = "INSERT INTO asm_words (asm_words, rank) VALUES ('merge', ?)"
_COUNT: Final = f"SELECT count(*) FROM (SELECT 1 FROM asm_words w WHERE w.asm_words MATCH ? LIMIT {MOST + 1})"
_CANDIDATES: Final = (
    "asm_words w CROSS JOIN asm_texts t ON t.number = w.rowid AND w.asm_words MATCH ? "
    "CROSS JOIN asm_events e ON e.id = t.event_id"
)
_FAULTS: Final = (
    (
        "The text index does not have event {0}.",
        "SELECT e.id FROM asm_events e WHERE NOT EXISTS (SELECT 1 FROM asm_texts t WHERE t.event_id = e.id)",
    ),
    (
        "The text index has event {0}, which does not exist.",
        "SELECT t.event_id FROM asm_texts t WHERE NOT EXISTS (SELECT 1 FROM asm_events e WHERE e.id = t.event_id)",
    ),
)
_REBUILD: Final = "Remove it with `asm db upgrade --no-text-search`, and build it again with --text-search."


class SQLiteTexts(Texts):
    """Builds, removes and asks an FTS5 table."""

    def state(self) -> TextIndex:
        """Return whether there is an index, and whether it has all events."""
        with self._database.read() as connection:
            return _state(connection.execute_sql)

    def build(self) -> None:
        """Build the index, some hundred events in each transaction: other writers write between them.

        Raises:
            StorageError: this SQLite was built without FTS5, or a transaction is open.
        """
        self.check_alone()
        with self._database.write() as connection:
            if _state(connection.execute_sql) is TextIndex.ABSENT:
                _create(connection.execute_sql)
        last: str | None = ""
        while last is not None:
            with self._database.batch() as connection:
                last = _add(connection.execute_sql, last)

    def remove(self) -> None:
        """Remove the index.

        Raises:
            StorageError: a transaction is open.
        """
        self.check_alone()
        with self._database.write() as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            for statement in DROPPED:
                connection.execute_sql(statement)

    def candidates(self, search: TextSearch) -> Statement | None:
        """Return the table ``e`` of the events that may match, unless they are too many."""
        match = _match(search)
        with self._database.read() as connection:
            execute = connection.execute_sql
            if _state(execute) is not TextIndex.COMPLETE:
                return None
            [(count,)] = execute(_COUNT, (match,)).fetchall()
        return Statement(_CANDIDATES, [match]) if count <= MOST else None

    def faults(self) -> list[str]:
        """Return what is wrong with the index."""
        with self._database.read() as connection:
            execute = connection.execute_sql
            state = _state(execute)
            if state is TextIndex.ABSENT:
                return []
            if state is TextIndex.INCOMPLETE:
                return ["The text index is incomplete, and not used. `asm db upgrade --text-search` completes it."]
            names = {row[0] for row in execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()}
            found = [f"The text index has no trigger {name}." for name in TRIGGERS if name not in names]
            for sentence, question in _FAULTS:
                found += [sentence.format(*row) for row in execute(f"{question} LIMIT {SHOWN}").fetchall()]
        return [f"{sentence} {_REBUILD}" for sentence in found]

    def erase(self) -> bool:
        """Remove the words of deleted events from the file, some pages in each transaction; return whether it is done.

        FTS5 keeps a removed word in the part of the index that has it, until that is merged with a later part.
        """
        if self.state() is TextIndex.ABSENT:
            return True
        pages = -_PAGES  # a negative number begins the merge of all parts
        try:
            while not self._merge(pages):
                pages = _PAGES
        except StorageError:
            return False
        return True

    def _merge(self, pages: int) -> bool:
        with self._database.batch() as connection:
            execute = connection.execute_sql
            overwrite_deleted(execute, self._database.words)
            [(before,)] = execute("SELECT total_changes()").fetchall()
            execute(_MERGE, (pages,))
            [(after,)] = execute("SELECT total_changes()").fetchall()
        return bool(after - before < 2)  # noqa: PLR2004  https://www.sqlite.org/fts5.html#the_merge_command


def _state(execute: Execute) -> TextIndex:
    if not execute(_EXISTS).fetchall():
        return TextIndex.ABSENT
    [(is_complete,)] = execute("SELECT is_complete FROM asm_text_index").fetchall()
    return TextIndex.COMPLETE if is_complete else TextIndex.INCOMPLETE


def _create(execute: Execute) -> None:
    if not execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchall():
        message = "This SQLite was built without FTS5, which a text index needs. Use another build of SQLite."
        raise StorageError(message)
    for statement in CREATION:
        execute(statement)


def _add(execute: Execute, after: str) -> str | None:
    """Add the next events after an id to the index; return the last id, None at the end."""
    [(last,)] = execute(_NEXT, (after,)).fetchall()
    if last is None:
        execute("UPDATE asm_text_index SET is_complete = 1")
        return None
    execute(_ADD, (after, last))
    return str(last)


def _match(search: TextSearch) -> str:
    """Return the FTS5 query for the events that may match."""
    runs = [f'"{run.text}"{" *" if run.is_beginning else ""}' for run in runs_of(search)]
    return f'({" AND ".join(runs)}) OR "{ANY}"'
