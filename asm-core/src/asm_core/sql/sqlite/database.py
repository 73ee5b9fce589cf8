"""SQLite, whatever the ORM: one writer at a time, and a file that may be taken away."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from abc import abstractmethod
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any, Final

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.places import Place
from asm_core.errors import StorageConnectionError, StorageError
from asm_core.sql.database import C, Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.pool import Pool
from asm_core.sql.sqlite.append import append_events, restore_events
from asm_core.sql.sqlite.fair_lock import Turns, turns_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.sqlite.file import SQLiteFile

OLDEST_SQLITE: Final = (3, 37, 0)
"""The first version with STRICT tables."""
_PATIENCE: Final = 30.0
_REST: Final = 0.1
"""Seconds between two looks of a writer that has waited long: https://www.sqlite.org/c3ref/busy_timeout.html."""


class SQLite(Database[C]):
    """SQLite, which knows one writer at a time: in this process one thread writes, and others wait for it."""

    def __init__(self, *, place: str | None = None, busy_timeout: float = _PATIENCE) -> None:
        """Begin without a connection.

        Args:
            place: the path of the file, where all that write to it in this process take turns.
            busy_timeout: how many seconds a thread waits for its turn to write.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            message = f"SQLite {sqlite3.sqlite_version} is too old; this needs 3.37 or newer."
            raise StorageError(message)
        super().__init__(Dialect.SQLITE)
        self._busy_timeout = busy_timeout
        self._place = place
        self._turns = self._new_turns()

    @contextmanager
    def batch(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction; then make way for other writers."""
        with self.write() as connection:
            begun = time.perf_counter()
            yield connection
        self.make_way(time.perf_counter() - begun)

    def make_way(self, seconds: float, /) -> None:
        """Leave the file to other writers for as long as it was written to.

        A writer of another process looks only now and then whether it is free, less often the longer it waits. It would
        hardly find the moment between two transactions.
        """
        if self._current() is None:
            time.sleep(min(seconds, _REST))

    def append(self, events: list[Event]) -> list[Event]:
        """Append events in a write transaction."""
        if self._current() is not None:
            with self.write() as connection:
                return append_events(connection.execute_sql, events)
        self._check_begun_here()
        # No further call has to find this transaction.
        with self._translated, self._writing() as connection:
            return append_events(connection.execute_sql, events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""
        with self.write() as connection:
            return restore_events(connection.execute_sql, session_id, events, last_sequence)

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""
        return None

    def close(self) -> None:
        """Close what the backend opened itself."""
        self._closed = True

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[C]:
        """Give a connection in a transaction of its own, begun as a writer; it is this thread's turn.

        One that begins as a reader and writes later fails at once when another writer came first, whatever the timeout.
        """

    def after_fork(self) -> None:
        """Let go of what is the parent's."""
        super().after_fork()
        self._turns = self._new_turns()

    def _new_turns(self) -> Turns:
        return Turns() if self._place is None else turns_of(self._place)

    @contextmanager
    def _writing(self) -> Iterator[C]:
        if self._turns.is_mine():
            message = "The database is busy: this thread is in the middle of another write to it; end that first."
            raise StorageConnectionError(message)
        turns, turn = self._turns, list[Place]()
        try:
            if not turns.take(turn, self._busy_timeout):
                message = f"The database is busy: another thread has been writing for {self._busy_timeout} seconds; "
                message += "try again, or raise busy_timeout."
                raise StorageConnectionError(message)
            with self._transaction() as connection:
                yield connection
        finally:
            if turn:
                turns.owner = None
                turns.end(turn.pop())
                turns.ring()

    @contextmanager
    def _savepoint(self, connection: C) -> Iterator[None]:
        driver = connection.driver
        if not driver.in_transaction:
            # A savepoint would be a transaction of its own, and commit by itself.
            if self._is_own():
                message = (
                    "The transaction was undone by an error inside it (a full disk, say); leave it and begin anew."
                )
                raise StorageError(message)
            self._begin(connection)
        driver.execute("SAVEPOINT asm_write")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed already, and undone with that
                if driver.in_transaction:
                    driver.execute("ROLLBACK TO asm_write")
                    # Not while an interrupted statement is referred to; an open savepoint without changes does no harm.
                    with contextlib.suppress(sqlite3.OperationalError):
                        driver.execute("RELEASE asm_write")
            raise
        driver.execute("RELEASE asm_write")


class SQLiteConnections(SQLite[C]):
    """SQLite on connections in the driver's autocommit mode, on which transactions are begun and ended here.

    A file that the backend opened itself has one writing connection, which is kept, and a pool of others to read; what
    the application opened gives the connections that it has.
    """

    def __init__(self, file: SQLiteFile | None, *, alone: bool) -> None:
        """Use what the application opened, or, with `file`, connections of the backend's own.

        Args:
            file: the file that the backend opens itself.
            alone: there is one connection, for all that is done.
        """
        super().__init__(
            place=None if file is None or file.in_memory else os.path.realpath(file.path),
            busy_timeout=file.options.busy_timeout if file else _PATIENCE,
        )
        self._file = file
        self._alone = alone
        self._writer: C | None = None
        self._readers: Pool[C] | None = None
        if file is not None and not alone:
            self._readers = Pool(
                self._connect, size=file.options.readers, timeout=self._busy_timeout, is_usable=self._is_usable
            )

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""
        if self._file is None or self._alone:
            return None
        self._check_open()
        with self._translated:
            self._check_file()
            return self._file.data_version()

    def close(self) -> None:
        """Close what the backend opened itself."""
        super().close()
        if self._file is not None:
            with nullcontext() if self._turns.is_mine() else self._turns.taken(), self._translated:
                self._drop_writer()
                self._file.close()
                if self._readers is not None:
                    self._readers.close()

    def after_fork(self) -> None:
        """Let go of what is the parent's; a database in memory is a copy, and the child's own."""
        super().after_fork()
        if self._file is not None and not self._alone:
            self._writer = None
            self._file.forget()
        elif self._writer is not None:
            self._writer.driver.rollback()
        if self._readers is not None:
            self._readers.forget()

    # -- what an adapter writes ------------------------------------------------------------------------------------

    @abstractmethod
    def _connect(self) -> C:
        """Open a connection; one of the application's is closed when it was used."""

    def _is_usable(self, connection: C) -> bool:
        """Return whether a connection to the file may be used again, and end what is open on it."""
        driver = connection.driver
        try:
            driver.finish()
            return not driver.in_transaction and driver.identity == self._identity()
        except sqlite3.Error:  # it is closed
            return False

    def _is_occupied(self) -> bool:
        """Return whether the application has a transaction open on the only connection."""
        return False

    # ----------------------------------------------------------------------------------------------------------------

    def _abandon(self) -> None:
        pass

    @contextmanager
    def _reading(self) -> Iterator[C]:
        if self._alone:
            with self.write() as connection:
                yield connection
            return
        self._check_file()
        with self._readers.lend() if self._readers is not None else closing(self._connect()) as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[C]:
        connection = self._take_writer()
        # The driver's own: of a connection that an interruption broke, an ORM may give it out no more.
        driver = connection.driver
        try:
            try:
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                driver.execute("COMMIT")
            except BaseException:
                _roll_back(driver)
                raise
            self._check_file(connection)
        except BaseException:
            if self._writer is connection:
                self._drop_writer()
            raise
        finally:
            if self._writer is not connection:
                connection.close()

    def _take_writer(self) -> C:
        self._check_file()
        if self._is_occupied():
            message = (
                "There is one connection, and the application's transaction is open on it; give it to bind(), or end "
                "the transaction first."
            )
            raise StorageError(message)
        if self._file is None:
            return self._connect()
        if self._writer is not None and not self._is_usable(self._writer):
            self._drop_writer()  # to a file that was replaced, or left in a transaction by an interruption
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _identity(self) -> object:
        return None if self._file is None else self._file.identity

    def _check_file(self, written: C | None = None) -> None:
        """Raise an error if the file, or the one to which `written` is connected, is no longer the one in its place."""
        if self._file is None:
            return
        if not self._file.is_the_same() or (written is not None and written.driver.identity != self._file.identity):
            # What was written since went into a file that nobody will find again: it must not be acknowledged.
            if self._readers is not None:
                self._readers.dispose()
            raise self._file.gone()


def _roll_back(driver: Any) -> None:
    with contextlib.suppress(sqlite3.ProgrammingError):  # closed already, and rolled back with that
        if driver.in_transaction:
            driver.execute("ROLLBACK")
