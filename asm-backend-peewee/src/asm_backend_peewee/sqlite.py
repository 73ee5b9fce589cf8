"""SQLite through Peewee."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from peewee import SqliteDatabase
from playhouse.pool import PooledSqliteDatabase

from asm_backend_peewee.connection import AT_ONCE, TableConnection, check_begun, connected
from asm_backend_peewee.errors import TRANSLATED
from asm_backend_peewee.models import define
from asm_core.sql import Dialect, failures
from asm_core.sql.sqlite import SQLite, SQLiteConnections
from asm_core.sql.sqlite_file import SQLiteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core.sql import SQLiteOptions


class SQLiteDatabase(SQLite[TableConnection]):
    """SQLite on a database of the application's, on the connection that it has in each thread."""

    _translated = TRANSLATED

    def __init__(self, database: Any) -> None:
        """Use a Peewee database of the application's."""
        super().__init__()
        self.models = define(database, Dialect.SQLITE)
        self._database = database

    def _reading(self) -> AbstractContextManager[TableConnection]:
        return connected(self._database)

    @contextmanager
    def _transaction(self) -> Iterator[TableConnection]:
        with connected(self._database) as connection, self._database.atomic("IMMEDIATE"):
            yield connection

    def _caller(self) -> TableConnection | None:
        return TableConnection(self._database) if self._database.in_transaction() else None

    def _begin(self, connection: TableConnection) -> None:
        check_begun(connection)
        if not connection.driver.in_transaction:
            raise failures.undone()

    def _abandon(self) -> None:
        self._database.dispose()


class OwnSQLiteDatabase(SQLiteConnections[TableConnection]):
    """SQLite in a file that the backend opens itself: one connection writes, a pool of others reads."""

    _translated = TRANSLATED

    def __init__(self, file: SQLiteFile) -> None:
        """Open `file`."""
        super().__init__(file, alone=file.in_memory)
        options = file.options
        self._writing_database = _File(file, thread_safe=False)
        self._readers = _Readers(file, max_connections=options.readers, timeout=options.busy_timeout or AT_ONCE)
        self.models = define(self._writing_database if self._alone else self._readers, Dialect.SQLITE)

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._readers.shut()

    def _connect(self) -> TableConnection:
        self._readers.connect(reuse_if_open=True)
        return TableConnection(self._readers)

    def _connect_writer(self) -> TableConnection:
        self._writing_database.connect(reuse_if_open=True)
        return TableConnection(self._writing_database)

    def _begin(self, connection: TableConnection) -> None:
        check_begun(connection)
        if not connection.driver.in_transaction:
            raise failures.undone()

    def _dispose(self) -> None:
        self._readers.close_idle()

    def _abandon(self) -> None:
        self._readers.dispose()
        self._writing_database.dispose()


class _File(SqliteDatabase):
    """A file, which core knows how to connect to."""

    def __init__(self, file: SQLiteFile, **options: Any) -> None:
        self.file = file
        super().__init__(file.path, **options)

    def _connect(self) -> Any:
        connection = self.file.connect()
        self._add_conn_hooks(connection)  # type: ignore[attr-defined]  # not in the stubs
        return connection


class _Readers(PooledSqliteDatabase, _File):  # type: ignore[misc]  # playhouse is not typed
    """A pool of connections to a file; one to a file that was replaced is used no more."""

    is_shut = False

    def shut(self) -> None:
        """Close the connections that wait here, and those in use when they come back."""
        self.is_shut = True
        self.close_idle()

    def _is_closed(self, conn: Any) -> bool:
        return conn.identity != self.file.identity or bool(super()._is_closed(conn))

    def _can_reuse(self, conn: Any) -> bool:
        return not self.is_shut and conn.identity == self.file.identity and bool(super()._can_reuse(conn))


def open_database(path: str, options: SQLiteOptions, *, create: bool) -> OwnSQLiteDatabase:
    """Open the file at `path`, or a database in memory.

    Raises:
        StorageConnectionError: there is no such file, or it cannot be made.
        StorageError: it is a directory.
    """
    return OwnSQLiteDatabase(SQLiteFile(path, options, create=create))
