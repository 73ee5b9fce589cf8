"""The connection that a Peewee database has open in a thread."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from peewee import SqliteDatabase

from asm_core import ValidationError
from asm_core.sql import qualified
from asm_core.sql.postgresql.pool import kept_cursor
from asm_core.sql.urls import IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_ONCE = 0.001
"""Seconds that a pool waits at the least; Peewee takes 0 for patience without end."""


class TableConnection:
    """Executes core's statements on the connection that a database has open in this thread.

    Attributes:
        database: Peewee's.
    """

    __slots__ = ("_schema", "database")

    def __init__(self, database: Any, schema: str | None = None) -> None:
        """Work on `database`, with the tables in `schema`."""
        self.database = database
        self._schema = schema

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self.database.connection()

    def execute_sql(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Execute a statement of core's on the driver's connection, in the transaction that is open there."""
        return self._execute_on(self.driver.cursor(), sql, parameters)

    def execute_kept(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Execute a statement of core's on the cursor that is kept for this; its rows are to be taken at once."""
        return self._execute_on(kept_cursor(self.driver), sql, parameters)

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
        cursor.execute(sql if self._schema is None else qualified(sql, self._schema), parameters)
        return cursor

    def close(self) -> None:
        """Close the connection, or give it back to its pool."""
        self.database.close()


@contextmanager
def connected(database: Any, schema: str | None = None) -> Iterator[TableConnection]:
    """Give the connection of this thread: the one that is open, or one that is opened for this.

    A database in memory stays open, as it would be gone.
    """
    if not database.is_closed() and not database.in_transaction() and getattr(database.connection(), "closed", False):
        database.close()  # lost: a new one is due
    is_ours = database.is_closed()
    if is_ours:
        database.connect()
    try:
        yield TableConnection(database, schema)
    finally:
        if is_ours and not (isinstance(database, SqliteDatabase) and database.database == IN_MEMORY):
            give_back(database)


def give_back(database: Any) -> None:
    """Close the connection, or give it back to its pool; if it was lost, those that wait there are too."""
    is_lost = bool(getattr(database.connection(), "closed", False))
    database.close()
    if is_lost and hasattr(database, "close_idle"):
        database.close_idle()


def check_begun(connection: TableConnection) -> None:
    """Refuse a database of the caller's on which no transaction is open.

    Raises:
        ValidationError: none is.
    """
    if not connection.database.in_transaction():
        message = "bind() takes a database with an open transaction; call it inside `with database.atomic():`."
        raise ValidationError(message)
