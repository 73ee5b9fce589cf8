"""A SQLAlchemy connection, for core's statements."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from asm_core.sql import Dialect, SQLConnection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection


class TableConnection(SQLConnection):
    """Executes core's statements on the driver's connection.

    Attributes:
        connection: the SQLAlchemy connection.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        """Use `connection`."""
        self.connection = connection

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self.connection.connection.dbapi_connection

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a SQLAlchemy savepoint, which begins the transaction if necessary."""
        return self.connection.begin_nested()

    def join(self) -> None:
        """Begin a transaction on SQLite; on PostgreSQL it begins with the first statement."""
        if self.connection.dialect.name == Dialect.SQLITE and not self.driver.in_transaction:
            # The driver begins only at the first change; a savepoint before it would commit by itself.
            # Executed by SQLAlchemy, which commits only transactions that it has begun.
            self.connection.exec_driver_sql("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Return the connection to its pool."""
        self.connection.close()

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
        try:
            return super()._execute_on(cursor, sql, parameters)
        except Exception:
            if getattr(self.driver, "closed", False):
                # SQLAlchemy detects the loss too, and its pool discards all connections of the same age.
                with suppress(SQLAlchemyError):
                    self.connection.exec_driver_sql("SELECT 1")
            raise
