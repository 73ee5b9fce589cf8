"""The connections, and all that differs between databases.

SQLite knows one writer at a time. A database that the backend opened itself has one writing connection behind a lock,
and a pool of readers; with an engine of the application's, connections come from its pool. Both run in the driver's
autocommit mode, and a write says ``BEGIN IMMEDIATE`` itself: a transaction that begins as a reader and writes later
fails at once when another writer came first, whatever the timeout.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlalchemy.pool import StaticPool

from asm_backend_sqlmodel.errors import translated
from asm_core import StorageConnectionError, StorageError, ValidationError
from asm_core.sql import Dialect, codec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Engine

    from asm_backend_sqlmodel.sqlite import SQLiteFile
    from asm_core.sql import Execute

_HALF = 32


class Database:
    """Hands out connections: to read, and to write in one transaction."""

    def __init__(self, engine: Engine, file: SQLiteFile | None = None) -> None:
        """Use an engine of the application's, or, with `file`, one of the backend's own."""
        if engine.dialect.name != Dialect.SQLITE:
            message = f"The sqlmodel backend runs on SQLite, not on {engine.dialect.name}."
            raise ValidationError(message)
        self.dialect = Dialect(engine.dialect.name)
        self.codec = codec_of(self.dialect)
        self._engine = engine
        self._file = file
        self._busy_timeout = file.options.busy_timeout if file else 30.0
        self._one_connection = isinstance(engine.pool, StaticPool)
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._joined = threading.local()
        self._writer: Connection | None = None
        self._writer_of: object = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection to read with; inside a transaction of this thread, that of the transaction."""
        joined = self._current()
        if joined is not None:
            with translated():
                yield joined
        elif self._one_connection:
            with self.write() as connection:
                yield connection
        else:
            with translated():
                self._check_file()
                with self._engine.connect() as connection:
                    yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection to write with, in one transaction; inside another one of this thread, in a savepoint."""
        joined = self._current()
        if joined is not None:
            with translated(), self._savepoint(joined):
                yield joined
            return
        if not self._lock.acquire(timeout=self._busy_timeout):
            message = f"Another thread has been writing for {self._busy_timeout} seconds; try again."
            raise StorageConnectionError(message)
        try:
            with translated(), self._writing() as connection:
                self._joined.connection = connection
                try:
                    yield connection
                finally:
                    self._joined.connection = None
        finally:
            self._lock.release()

    @contextmanager
    def bind(self, connection: Connection) -> Iterator[None]:
        """Let this thread read and write on the caller's connection, in the caller's transaction."""
        outer = self._current()
        self._joined.connection = connection
        try:
            with translated():
                if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                    # The driver begins only at the first change; a savepoint before it would commit by itself.
                    # Said to the connection, as it must know of a transaction to commit it.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield
        finally:
            self._joined.connection = outer

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""
        if self._file is None or self._one_connection:
            return None
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

    def _current(self) -> Connection | None:
        if self._closed:
            message = "The backend is closed; open it again."
            raise StorageError(message)
        if self._process != os.getpid():
            # A forked child must not touch its parent's connections: neither use them nor close them.
            self._engine.dispose(close=False)
            self._reset()
            if self._file is not None:
                self._file.forget()
        return getattr(self._joined, "connection", None)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        connection = self._take_writer()
        try:
            execute = execute_on(connection)
            execute("BEGIN IMMEDIATE")
            try:
                yield connection
                execute("COMMIT")
            except BaseException:
                if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                    execute("ROLLBACK")
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
        execute = execute_on(connection)
        execute("SAVEPOINT asm_write")
        try:
            yield
        except BaseException:
            if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                execute("ROLLBACK TO asm_write")
                execute("RELEASE asm_write")
            raise
        execute("RELEASE asm_write")


def exact_sum(value: Any) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the sums of the high and the low half of 64-bit integers, for `whole_sum` to put together.

    SQLite's SUM refuses a result beyond 64 bits, which a few large costs reach.
    """
    return func.sum(value.op(">>")(_HALF)), func.sum(value.op("&")((1 << _HALF) - 1))


def whole_sum(high: int | None, low: int | None) -> int:
    """Return the sum whose halves `exact_sum` selected; 0 of no rows."""
    return ((high or 0) << _HALF) + (low or 0)


def execute_on(connection: Connection) -> Execute:
    """Return what executes core's own statements on the driver's connection, in the transaction that is open there."""
    execute: Any = connection.connection.dbapi_connection.execute  # type: ignore[union-attr]
    return execute  # type: ignore[no-any-return]
