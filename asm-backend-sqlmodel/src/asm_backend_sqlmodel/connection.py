"""A connection of SQLAlchemy's that finds the tables where they stand."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from asm_core.sql import qualified
from asm_core.sql.postgresql.pool import kept_cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class TableConnection:
    """Executes core's statements on the tables in their schema.

    The schema is named in each statement: a connection of the caller's keeps its own settings for the caller's tables.

    Attributes:
        connection: SQLAlchemy's.
    """

    __slots__ = ("_schema", "connection")

    def __init__(self, connection: Connection, schema: str | None = None) -> None:
        """Work on `connection`, with the tables in `schema`; None: where the connection finds them."""
        self.connection = connection
        self._schema = schema

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self.connection.connection.dbapi_connection

    def execute_sql(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Execute a statement of core's on the driver's connection, in the transaction that is open there."""
        return self._execute_on(self.connection.connection.cursor(), sql, parameters)

    def execute_kept(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Execute a statement of core's on the cursor that is kept for this; its rows are to be taken at once."""
        return self._execute_on(kept_cursor(self.driver), sql, parameters)

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
        if self._schema is not None:
            sql = qualified(sql, self._schema)
        try:
            # Without parameters a percent sign is one.
            return (cursor.execute(sql, parameters) if parameters else cursor.execute(sql)) or cursor
        except Exception:
            self._tell_if_lost()
            raise

    def close(self) -> None:
        """Give the connection back to its pool."""
        self.connection.close()

    def _tell_if_lost(self) -> None:
        """Let SQLAlchemy find out as well that the connection is lost: it gives out none of its age any more."""
        if getattr(self.driver, "closed", False):
            with suppress(SQLAlchemyError):
                self.connection.exec_driver_sql("SELECT 1")
