"""SQLite for any ORM: one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.fair_lock import Turns, turns_of
from asm_core.concurrency.places import Place
from asm_core.errors import StorageConnectionError, StorageError
from asm_core.sql.connector import C
from asm_core.sql.database import Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.failures import undone
from asm_core.sql.queries.words import words_of
from asm_core.sql.sqlite.append import StoredIdsError, append_events, append_rest, restore_events
from asm_core.sql.sqlite.transactions import become_writer, savepoint
from asm_core.sql.text_search.sqlite import SQLiteTexts
from asm_core.sql.transactions import CallersTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from asm_core.models import Event, StoredEvent
    from asm_core.sql.connector import Connector
    from asm_core.sql.dialects import Execute
    from asm_core.sql.sqlite.file import SQLiteFile
    from asm_core.sql.transactions import SQLTransaction

OLDEST_SQLITE: Final = (3, 37, 0)
"""The first version with STRICT tables."""
_PATIENCE: Final = 30.0
_ERASING: Final = 1.0
_FIRST_PAUSE: Final = 0.005
_REST: Final = 0.1
"""Seconds between two polls of a waiting writer: https://www.sqlite.org/c3ref/busy_timeout.html."""


class SQLite(Database[C]):
    """SQLite, which has one writer at a time: in this process one thread writes, and others wait for it."""

    def __init__(self, connector: Connector[C], file: SQLiteFile | None = None) -> None:
        """Use the connections of `connector`.

        Args:
            connector: the connector of the ORM.
            file: the file that the backend opened itself; None: the application opened the database.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            message = f"SQLite {sqlite3.sqlite_version} is too old. Version 3.37 or newer is required."
            raise StorageError(message)
        super().__init__(connector, words_of(Dialect.SQLITE))
        self._is_own = file is not None
        self._busy_timeout = _PATIENCE if file is None else file.options.busy_timeout
        # All writers of one file in this process share a fair lock.
        self._place = None if file is None or file.in_memory else os.path.realpath(file.path)
        self._turns = self._new_turns()

    @property
    def appends_at_once(self) -> int:
        """SQLite has one writer."""
        return 1

    @contextmanager
    def batch(self, *, is_last: bool = False) -> Iterator[C]:
        """Provide a connection for writing, in a transaction; then yield to other writers, unless it is the last."""
        with self.write() as connection:
            begun = time.perf_counter()
            yield connection
        if not is_last:
            self.make_way(time.perf_counter() - begun)

    def make_way(self, seconds: float, /) -> None:
        """Leave the file to other writers for the duration of the last write.

        A writer of another process polls for the lock, less often the longer it waits. It would rarely find the moment
        between two transactions.
        """
        if self._joined() is None:
            time.sleep(min(seconds, _REST))

    @property
    def texts(self) -> SQLiteTexts:
        """The index of texts."""
        return SQLiteTexts(self)

    def joins(self) -> bool:
        """Return whether an append joins an open transaction."""
        joined = super().joins()
        if not joined:
            self._check_not_mine(self._turns)
        return joined

    def append_joined(self, events: list[Event]) -> list[StoredEvent]:
        """Append events in a savepoint."""
        with suppress(StoredIdsError), self.write() as connection:
            return append_events(connection.execute_sql, events)
        with self.write() as connection:
            return append_rest(connection.execute_sql, events)

    def append_alone(self, events: list[Event]) -> list[StoredEvent]:
        """Append events in a write transaction."""
        with suppress(StoredIdsError):
            return self._append_alone(append_events, events)
        return self._append_alone(append_rest, events)

    def _append_alone(
        self, append: Callable[[Execute, list[Event]], list[StoredEvent]], events: list[Event]
    ) -> list[StoredEvent]:
        # No further call needs to find this transaction.
        with self._connector.errors, self._new_transaction() as connection:
            # Whether the ORM has a listener is asked once: the question takes as long as a short statement.
            is_direct = self._is_own and not connection.is_observed()
            return append(connection.driver.kept.execute if is_direct else connection.execute_sql, events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store numbered events, inside a transaction; return the number of new events."""
        with self.write() as connection:
            return restore_events(connection.execute_sql, session_id, events, last_sequence)

    def size(self) -> int:
        """Return the size of the database file in bytes."""
        with self.read() as connection:
            [(pages,)] = connection.execute_sql("PRAGMA page_count").fetchall()
            [(size,)] = connection.execute_sql("PRAGMA page_size").fetchall()
        return int(pages) * int(size)

    def compact(self) -> None:
        """Rewrite the file without unused pages, while no thread writes; then empty the write-ahead log."""
        if self._joined() is not None or self._connector.is_single:
            super().compact()
            return
        with nullcontext() if self._turns.is_mine() else self._turns.taken():
            super().compact()
        self.finish_erasure()

    def _compacting(self) -> Sequence[str]:
        # A database in memory has no file.
        return [] if self._connector.is_single else ["VACUUM"]

    def finish_erasure(self) -> bool:
        """Remove deleted words from the text index, and empty the write-ahead log; return whether no copy remains.

        A reader or writer that is open prevents that, so it is tried again for a second. A try waits for nothing:
        SQLite would exclude writers during the wait.
        """
        if self._joined() is not None:
            return False
        if self._connector.is_single:
            return True
        if not self.texts.erase():
            return False
        deadline, pause = time.monotonic() + _ERASING, _FIRST_PAUSE
        while not self._empty_log():
            if time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, _REST)
        return True

    def _empty_log(self) -> bool:
        try:
            with self._connector.errors, self._connector.statement() as connection:
                execute = connection.execute_sql
                [(patience,)] = execute("PRAGMA busy_timeout").fetchall()
                execute("PRAGMA busy_timeout = 0").fetchall()
                try:
                    [(is_busy, *_)] = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                finally:
                    execute(f"PRAGMA busy_timeout = {patience}").fetchall()
        except StorageError:
            return False
        return not is_busy

    def change_token(self) -> object:
        """Return a value that changes with commits of other connections; None if the application opened the file."""
        self._check_open()
        with self._connector.errors:
            return self._connector.change_token()

    def close(self) -> None:
        """Close the backend's own connections, while no thread writes."""
        self._life.is_closed = True
        if self._is_own:
            with nullcontext() if self._turns.is_mine() else self._turns.taken(), self._connector.errors:
                self._connector.close()

    def after_fork(self) -> None:
        """Release the parent's resources."""
        super().after_fork()
        self._turns = self._new_turns()

    def _statement(self) -> AbstractContextManager[C]:
        # Uncommitted writes of another thread on the only connection must not be read.
        return self.write() if self._connector.is_single else self._connector.statement()

    @contextmanager
    def _new_transaction(self) -> Iterator[C]:
        turns, turn = self._turns, list[Place]()
        try:
            self._take_turn(turns, turn)
            with self._connector.transaction() as connection:
                yield connection
                if not connection.driver.in_transaction:
                    raise undone()  # by SQLite, after an error; some drivers commit nothing, without an error
        finally:
            if turn:
                turns.owner = turns.holder = None
                turns.end(turn.pop())
                turns.ring()

    @contextmanager
    def bind(self, connect: Callable[[], C]) -> Iterator[Self]:
        """Work like `Database.bind`. The first call joins as a writer, in turn."""
        turns, turn = self._turns, list[Place]()
        try:
            with self._bind(CallersTransaction(connect, partial(self._join, turns, turn))) as bound:
                yield bound
        finally:
            # Its commit follows: the next writer waits for that in SQLite.
            if turn:
                turns.owner = turns.holder = None
                turns.end(turn.pop())
                turns.ring()

    def _check_not_mine(self, turns: Turns) -> None:
        if turns.is_mine():
            message = (
                "The database is busy: this thread or task has a transaction open that writes to it, and would wait "
                "for itself. Use the ports that transaction() or bind() yielded, or end the transaction first."
            )
            raise StorageError(message)

    def _take_turn(self, turns: Turns, turn: list[Place]) -> None:
        self._check_not_mine(turns)
        if not turns.take(turn, self._busy_timeout):
            message = f"The database is busy: another thread has been writing for {self._busy_timeout} seconds; "
            message += "retry, or raise busy_timeout."
            raise StorageConnectionError(message)

    def _share(self, transaction: SQLTransaction[C]) -> None:
        self._turns.holder = ref(transaction)

    def _join(self, turns: Turns, turn: list[Place], transaction: CallersTransaction[C], connection: C) -> None:
        """Join the caller's transaction as a writer: one that begins as a reader may fail at its first write.

        It does not wait for its turn if it is the writer already.
        """
        is_begun = connection.driver.in_transaction
        if is_begun and become_writer(connection.driver, waits=False):
            turns.take(turn, 0)
        else:
            self._take_turn(turns, turn)
        if turn:
            turns.holder = ref(transaction)
        if is_begun:
            become_writer(connection.driver)
        connection.join()
        transaction.excludes = True

    def _savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:
        return savepoint(connection, in_own=in_own)

    def _new_turns(self) -> Turns:
        return Turns() if self._place is None else turns_of(self._place)
