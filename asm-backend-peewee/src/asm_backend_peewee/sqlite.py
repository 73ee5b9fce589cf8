"""SQLite through Peewee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SqliteDatabase

from asm_backend_peewee.connection import TableConnection, check_begun, connected
from asm_backend_peewee.errors import TRANSLATED
from asm_backend_peewee.models import define
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql import Dialect, failures
from asm_core.sql.sqlite.database import SQLite, SQLiteConnections
from asm_core.sql.sqlite.file import SQLiteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core.sql import SQLiteOptions


class SQLiteDatabase(SQLite[TableConnection]):
    """SQLite on a database of the application's, on the connection that it has in each thread."""

    _translated = TRANSLATED
    _is_inherited = False

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
        if self._is_inherited:
            self._database.dispose()
            self._is_inherited = False
        return TableConnection(self._database) if self._database.in_transaction() else None

    def _begin(self, connection: TableConnection) -> None:
        check_begun(connection)
        if not connection.driver.in_transaction:
            raise failures.undone()

    def _abandon(self) -> None:
        # Not at once: a thread of the parent may have held the lock of the application's database.
        self._is_inherited = True


class OwnSQLiteDatabase(SQLiteConnections[TableConnection]):
    """SQLite in a file that the backend opens itself, on connections that core pools."""

    _translated = TRANSLATED

    def __init__(self, file: SQLiteFile) -> None:
        """Open `file`."""
        super().__init__(file, alone=file.in_memory)
        # The application's own queries may come from any thread.
        self._database = _File(file, thread_safe=not file.in_memory)
        self.models = define(self._database, Dialect.SQLITE)

    def _connect(self) -> TableConnection:
        # One of Peewee's databases for each connection: it has neither a lock nor a connection for each thread.
        database = self._database if self._alone else _File(self._database.file, thread_safe=False)
        database.connect(reuse_if_open=True)
        return TableConnection(database)

    def _begin(self, connection: TableConnection) -> None:
        check_begun(connection)
        if not connection.driver.in_transaction:
            raise failures.undone()


class _File(SqliteDatabase):
    """A file, which core knows how to connect to."""

    def __init__(self, file: SQLiteFile, *, thread_safe: bool) -> None:
        self.file = file
        super().__init__(file.path, thread_safe=thread_safe)

    def _connect(self) -> Any:
        connection = self.file.connect()
        self._add_conn_hooks(connection)  # type: ignore[attr-defined]  # not in the stubs
        return connection


def open_database(path: str, options: SQLiteOptions, *, create: bool) -> OwnSQLiteDatabase:
    """Open the file at `path`, or a database in memory.

    Raises:
        StorageConnectionError: there is no such file, or it cannot be made.
        StorageError: it is a directory.
    """
    return OwnSQLiteDatabase(SQLiteFile(path, options, create=create))
