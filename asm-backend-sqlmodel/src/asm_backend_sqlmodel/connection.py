"""A SQLAlchemy connection, for core's statements."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from asm_core.sql import Dialect, SQLConnection
from asm_core.sql.failures import undone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine


class TableConnection(SQLConnection):
    """Executes core's statements on the driver's connection.

    SQLAlchemy replaces a lost connection outside of the transactions that it began. Statements must not continue there:
    the transaction of the lost one is undone.

    Attributes:
        connection: the SQLAlchemy connection.
    """

    __slots__ = ("_driver", "connection")

    def __init__(self, connection: Connection) -> None:
        """Use `connection`, and the driver's connection that it has now."""
        self.connection = connection
        self._driver = connection.connection.dbapi_connection

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self._driver

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a SQLAlchemy savepoint, which begins the transaction if necessary."""
        return self.connection.begin_nested()

    def join(self) -> None:
        """Begin a transaction on SQLite; on PostgreSQL it begins with the first statement."""
        if self.connection.dialect.name == Dialect.SQLITE and not self.driver.in_transaction:
            # The driver begins only at the first change; a savepoint before it would commit by itself.
            # Executed by SQLAlchemy, which commits only transactions that it has begun.
            self.connection.exec_driver_sql("BEGIN IMMEDIATE")

    def is_observed(self) -> bool:
        """Return whether the engine echoes, or something listens to the execution of cursors."""
        connection, engine = self.connection, self.connection.engine
        if engine.logger.isEnabledFor(logging.INFO):
            return True
        if connection._has_events or engine._has_events:  # noqa: SLF001  the dispatch takes ten times as long
            dispatch = connection.dispatch
            return bool(dispatch.before_cursor_execute or dispatch.after_cursor_execute)
        return False

    def execute_observed(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Execute a statement of core's by SQLAlchemy."""
        if self.connection.invalidated:
            raise undone()
        self.connection._echo = self.connection.engine.logger.isEnabledFor(logging.INFO)  # noqa: SLF001  it may be new
        options = {"no_parameters": not parameters, "preserve_rowcount": True}
        result = self.connection.exec_driver_sql(sql, tuple(parameters), execution_options=options)
        return result.cursor if result.returns_rows else result

    def close(self) -> None:
        """Return the connection to its pool."""
        self.connection.close()

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
        try:
            return super()._execute_on(cursor, sql, parameters)
        except Exception:
            if getattr(self.driver, "closed", False) and not self.connection.invalidated:
                # SQLAlchemy detects the loss too, and its pool discards all connections of the same age.
                with suppress(SQLAlchemyError):
                    self.connection.exec_driver_sql("SELECT 1")
            raise


class Variant:
    """An engine of the application's with an isolation level; its `echo` is that of the application's engine."""

    def __init__(self, engine: Engine, isolation_level: str) -> None:
        """Use the pool of `engine`."""
        self._of = engine
        self._engine = engine.execution_options(isolation_level=isolation_level)

    @property
    def engine(self) -> Engine:
        """The engine; SQLAlchemy copies `echo` when the variant is made, and the application may set it later."""
        if self._engine.logger.isEnabledFor(logging.INFO) != self._of.logger.isEnabledFor(logging.INFO):
            self._engine.echo = self._of.echo
        return self._engine
