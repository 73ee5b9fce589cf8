"""SQLite, whatever the ORM: one writer at a time, and a file that may be taken away."""

from __future__ import annotations

import contextlib
import sqlite3
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import StorageConnectionError, StorageError
from asm_core.sql.append_sqlite import append_events, restore_events
from asm_core.sql.database import C, Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.sqlite_file import SQLiteFile

OLDEST_SQLITE: Final = (3, 37, 0)
"""The first version with STRICT tables."""
_PATIENCE: Final = 30.0


class SQLite(Database[C]):
    """SQLite, which knows one writer at a time: in this process one thread writes, and others wait for it."""

    def __init__(self, *, busy_timeout: float = _PATIENCE) -> None:
        """Begin without a connection; `busy_timeout` is how many seconds a thread waits for its turn to write."""
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            message = f"SQLite {sqlite3.sqlite_version} is too old; this needs 3.37 or newer."
            raise StorageError(message)
        super().__init__(Dialect.SQLITE)
        self._busy_timeout = busy_timeout
        self._turns = Turns()

    def append(self, events: list[Event]) -> list[Event]:
        """Append events in a write transaction."""
        if self._current() is not None:
            with self.write() as connection:
                return append_events(connection.execute_sql, events)
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

    def _forked(self) -> None:
        super()._forked()
        self._turns = Turns()

    @contextmanager
    def _writing(self) -> Iterator[C]:
        taken = False
        try:
            taken = self._turns.acquire(timeout=self._busy_timeout)
            if not taken:
                message = f"Another thread has been writing for {self._busy_timeout} seconds; try again."
                raise StorageConnectionError(message)
            with self._transaction() as connection:
                yield connection
        finally:
            if taken:
                self._turns.release()

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

    A file that the backend opened itself has one writing connection, which is kept, and others to read; what the
    application opened gives the connections that it has.
    """

    def __init__(self, file: SQLiteFile | None, *, alone: bool) -> None:
        """Use what the application opened, or, with `file`, connections of the backend's own.

        Args:
            file: the file that the backend opens itself.
            alone: there is one connection, for all that is done.
        """
        super().__init__(busy_timeout=file.options.busy_timeout if file else _PATIENCE)
        self._file = file
        self._alone = alone
        self._writer: C | None = None
        self._writer_of: object = None

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""
        if self._file is None or self._alone:
            return None
        self._current()
        with self._translated:
            self._check_file()
            return self._file.data_version()

    def close(self) -> None:
        """Close what the backend opened itself."""
        super().close()
        if self._file is not None:
            with self._turns, self._translated:
                self._drop_writer()
                self._file.close()
                self._dispose()

    # -- what an adapter writes ------------------------------------------------------------------------------------

    @abstractmethod
    def _connect(self) -> C:
        """Take a connection; it is closed when it was used."""

    def _connect_writer(self) -> C:
        """Take the connection to write with; that of a file is kept."""
        return self._connect()

    @abstractmethod
    def _dispose(self) -> None:
        """Close the connections that wait for their next use."""

    def _is_occupied(self) -> bool:
        """Return whether the application has a transaction open on the only connection."""
        return False

    # ----------------------------------------------------------------------------------------------------------------

    def _forked(self) -> None:
        # Closed rather than left: SQLite would take the locks of the parent for this process's own.
        if self._file is not None:
            with contextlib.suppress(Exception):
                self._drop_writer()
            self._dispose()
            self._file.forget()
        super()._forked()
        self._writer = None

    @contextmanager
    def _reading(self) -> Iterator[C]:
        if self._alone:
            with self.write() as connection:
                yield connection
        else:
            self._check_file()
            with contextlib.closing(self._connect()) as connection:
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
            self._check_file(self._writer_of)
        except BaseException:
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
        if self._file is not None and self._writer_of != self._file.identity:
            self._drop_writer()
        if self._writer is not None:
            return self._writer
        if self._file is not None:
            self._writer_of = self._file.identity
        connection = self._connect_writer()
        if self._file is not None:
            self._writer = connection
        return connection

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _check_file(self, written: object = None) -> None:
        """Raise an error if the file, or the one that was `written` to, is no longer the one in its place."""
        if self._file is not None and not (self._file.is_the_same() and written in {None, self._file.identity}):
            # What was written since went into a file that nobody will find again: it must not be acknowledged.
            self._dispose()
            raise self._file.gone()


def _roll_back(driver: Any) -> None:
    with contextlib.suppress(sqlite3.ProgrammingError):  # closed already, and rolled back with that
        if driver.in_transaction:
            driver.execute("ROLLBACK")
