"""SQLite through SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool, StaticPool

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_core.sql.sqlite.database import SQLiteConnections
from asm_core.sql.sqlite.file import SQLiteFile

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from asm_core.sql import SQLiteOptions


class SQLiteDatabase(SQLiteConnections[TableConnection]):
    """SQLite on an engine, the application's or the backend's own."""

    _translated = TRANSLATED

    def __init__(self, engine: Engine, file: SQLiteFile | None = None) -> None:
        """Use an engine of the application's, or, with `file`, one of the backend's own."""
        super().__init__(file, alone=isinstance(engine.pool, StaticPool))
        self._engine = engine
        # The backend's own connections are in autocommit anyway.
        self._single = engine if file else engine.execution_options(isolation_level="AUTOCOMMIT")
        self.engine_dialect = engine.dialect

    def _connect(self) -> TableConnection:
        return TableConnection(self._single.connect())

    def _is_usable(self, connection: TableConnection) -> bool:
        return not connection.connection.invalidated and super()._is_usable(connection)

    def _abandon(self) -> None:
        if self._file is None and not self._alone:
            self._engine.dispose(close=False)

    def _is_occupied(self) -> bool:
        if self._file is not None or not self._alone:
            return False
        driver: Any = self._engine.pool.connection.dbapi_connection  # type: ignore[attr-defined]
        return driver is not None and driver.in_transaction

    def _begin(self, connection: TableConnection) -> None:
        if not connection.driver.in_transaction:
            # The driver begins only at the first change; a savepoint before it would commit by itself.
            # Said to the connection, as it must know of a transaction to commit it.
            connection.connection.exec_driver_sql("BEGIN IMMEDIATE")


def open_database(path: str, options: SQLiteOptions, *, create: bool) -> SQLiteDatabase:
    """Open the file at `path`, or a database in memory.

    Raises:
        StorageConnectionError: there is no such file, or it cannot be made.
        StorageError: it is a directory.
    """
    file = SQLiteFile(path, options, create=create)
    engine = create_engine(
        "sqlite://",
        creator=file.connect,
        isolation_level="AUTOCOMMIT",
        # Core pools the connections of a file.
        poolclass=StaticPool if file.in_memory else NullPool,
        pool_reset_on_return=None,
    )
    return SQLiteDatabase(engine, file)
