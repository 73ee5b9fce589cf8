"""SQLite with SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool, StaticPool

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.engines import EngineConnector
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_core import StorageError
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.sqlite.connections import FileConnections
from asm_core.sql.sqlite.database import SQLite
from asm_core.sql.sqlite.transactions import immediate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from asm_core.sql.sqlite.file import SQLiteFile


class SQLiteEngine(EngineConnector):
    """The connections of the application's engine."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine, its pool and its settings."""
        super().__init__(engine)
        self.is_single = isinstance(engine.pool, StaticPool)

    @contextmanager
    def transaction(self) -> Iterator[TableConnection]:
        """Provide a connection of the pool, in a transaction of the driver, because SQLAlchemy's begins too late."""
        if self.is_single and self._is_in_transaction():
            message = (
                "There is one connection, and the application's transaction is open on it. Pass it to bind(), or end "
                "the transaction first."
            )
            raise StorageError(message)
        with self.statement() as connection, immediate(connection.driver):
            yield connection

    def leave_to_parent(self) -> None:
        """Make the engine connect again; a database in memory is a copy, which belongs to the child."""
        if not self.is_single:
            super().leave_to_parent()

    def _is_in_transaction(self) -> bool:
        driver: Any = self._engine.pool.connection.dbapi_connection  # type: ignore[attr-defined]
        return driver is not None and driver.in_transaction


def open_file(file: SQLiteFile) -> SQLite[TableConnection]:
    """Open a database with the backend's own connections, in core's pool."""
    engine = create_engine(
        "sqlite://",
        creator=file.connect,
        isolation_level="AUTOCOMMIT",
        poolclass=StaticPool if file.in_memory else NullPool,
        pool_reset_on_return=None,
    )
    return SQLite(FileConnections(file, lambda: TableConnection(engine.connect()), TRANSLATED), file)
