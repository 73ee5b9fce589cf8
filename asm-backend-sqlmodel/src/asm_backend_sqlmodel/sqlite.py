"""SQLite: the connections to it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, make_url
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.errors import translated
from asm_backend_sqlmodel.sqlite_file import SQLiteFile
from asm_core import StorageConnectionError, StorageError, ValidationError
from asm_core.sql import Dialect, append_events, restore_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from asm_core import Event

OLDEST_SQLITE = (3, 37, 0)
"""The first version with STRICT tables."""


class SQLiteDatabase(Database):
    """SQLite, which knows one writer at a time.

    A database that the backend opened itself has one writing connection behind a lock, and a pool of readers; with an
    engine of the application's, connections come from its pool. Both run in the driver's autocommit mode, and a write
    says ``BEGIN IMMEDIATE`` itself: a transaction that begins as a reader and writes later fails at once when another
    writer came first, whatever the timeout.
    """

    insert = staticmethod(insert)

    def __init__(self, engine: Engine, file: SQLiteFile | None = None) -> None:
        """Use an engine of the application's, or, with `file`, one of the backend's own."""
        super().__init__(engine, Dialect.SQLITE)
        self._file = file
        self._busy_timeout = file.options.busy_timeout if file else 30.0
        self._one_connection = isinstance(engine.pool, StaticPool)
        self._lock = threading.RLock()
        self._writer: Connection | None = None
        self._writer_of: object = None

    def append(self, events: list[Event]) -> list[Event]:
        """Append events in a write transaction."""
        with self.write() as connection:
            return append_events(connection.execute_sql, events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""
        with self.write() as connection:
            return restore_events(connection.execute_sql, session_id, events, last_sequence)

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""
        if self._file is None or self._one_connection:
            return None
        self._current()
        with translated():
            self._check_file()
            return self._file.data_version()

    def close(self) -> None:
        """Close what this backend opened itself."""
        self._closed = True
        if self._file is not None:
            with self._lock, translated():
                self._drop_writer()
                self._file.close()
                self._engine.dispose()

    def _forked(self) -> None:
        # Closed rather than left: SQLite would take the locks of the parent for this process's own.
        if self._file is not None:
            with contextlib.suppress(Exception):
                self._drop_writer()
            self._engine.dispose()
            self._file.forget()
        super()._forked()
        self._lock = threading.RLock()
        self._writer = None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._one_connection:
            with self.write() as written:
                yield written.connection
        else:
            self._check_file()
            with self._engine.connect() as connection:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        taken = False
        try:
            taken = self._lock.acquire(timeout=self._busy_timeout)
            if not taken:
                message = f"Another thread has been writing for {self._busy_timeout} seconds; try again."
                raise StorageConnectionError(message)
            with self._transaction() as connection:
                yield connection
        finally:
            if taken:
                self._lock.release()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        connection = self._take_writer()
        # The driver's own: of a connection that an interruption broke, SQLAlchemy gives it out no more.
        driver: Any = connection.connection.dbapi_connection
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

    def _take_writer(self) -> Connection:
        self._check_file()
        self._check_only_connection()
        if self._file is not None and self._writer_of != self._file.identity:
            self._drop_writer()
        if self._writer is not None:
            return self._writer
        if self._file is not None:
            self._writer_of = self._file.identity
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self._file is not None:
            self._writer = connection
        return connection

    def _check_only_connection(self) -> None:
        """Refuse to work beside the application's transaction where both have but one connection."""
        if self._file is None and self._one_connection:
            driver: Any = self._engine.pool.connection.dbapi_connection  # type: ignore[attr-defined]
            if driver is not None and driver.in_transaction:
                message = (
                    "The engine has one connection, and the application's transaction is open on it; give it to "
                    "bind(), or end the transaction first."
                )
                raise StorageError(message)

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _check_file(self, written: object = None) -> None:
        """Raise an error if the file, or the one that was `written` to, is no longer the one in its place."""
        if self._file is not None and not (self._file.is_the_same() and written in {None, self._file.identity}):
            # What was written since went into a file that nobody will find again: it must not be acknowledged.
            self._engine.dispose()
            raise self._file.gone()

    @contextmanager
    def _savepoint(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.dbapi_connection
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

    def _begin(self, connection: Connection) -> None:
        if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            # The driver begins only at the first change; a savepoint before it would commit by itself.
            # Said to the connection, as it must know of a transaction to commit it.
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def _roll_back(driver: Any) -> None:
    with contextlib.suppress(sqlite3.ProgrammingError):  # closed already, and rolled back with that
        if driver.in_transaction:
            driver.execute("ROLLBACK")


def open_database(url: str, options: Any, *, create: bool) -> SQLiteDatabase:
    """Open the database at `url`.

    Raises:
        ValidationError: `url` is none that this backend understands.
        StorageConnectionError: there is no such file, or it cannot be made.
        StorageError: it is a directory.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        message = f"SQLite {sqlite3.sqlite_version} is too old; this needs 3.37 or newer."
        raise StorageError(message)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        message = "The url is not of the form sqlite:///path/to/file.db."
        raise ValidationError(message) from None
    if parsed.get_backend_name() != "sqlite":
        message = (
            "The sqlmodel backend takes a url of the form sqlite:///path/to/file.db or postgresql://user@host/database,"
            f" not {parsed.get_backend_name()}://…."
        )
        raise ValidationError(message)
    if "?" in url or "\0" in (parsed.database or "") or parsed.host:
        message = (
            "The url must be of the form sqlite:///path/to/file.db, with nothing but a path behind the third slash; "
            "settings are options, not parts of the url."
        )
        raise ValidationError(message)
    file = SQLiteFile(parsed.database or ":memory:", options, create=create)
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if parsed.database not in {None, "", ":memory:"}:
        pool = {
            "poolclass": QueuePool,
            "pool_size": options.readers + 1,
            "max_overflow": 0,
            "pool_timeout": options.busy_timeout,
            "pool_reset_on_return": None,
        }
    engine = create_engine("sqlite://", creator=file.connect, isolation_level="AUTOCOMMIT", **pool)
    return SQLiteDatabase(engine, file)
