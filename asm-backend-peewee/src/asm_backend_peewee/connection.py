"""The connection that a Peewee database has open in a thread."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from peewee import SqliteDatabase

from asm_core import ValidationError
from asm_core.sql import SQLConnection, failures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

_LOGGER = logging.getLogger("peewee")


class TableConnection(SQLConnection):
    """Executes core's statements on the connection that a database has open in this thread.

    Attributes:
        database: the Peewee database.
    """

    __slots__ = ("database",)

    def __init__(self, database: Any) -> None:
        """Use `database`."""
        self.database = database

    @property
    def is_of_thread(self) -> bool:
        """Whether the database has a connection for each thread."""
        return bool(self.database.thread_safe)

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self.database.connection()

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a Peewee savepoint."""
        savepoint: AbstractContextManager[object] = self.database.atomic()
        return savepoint

    def join(self) -> None:
        """Check that the application's transaction is open.

        Raises:
            ValidationError: none is.
            StorageError: SQLite has rolled it back after an error.
        """
        if not self.database.in_transaction():
            message = "bind() takes a database with an open transaction. Call it inside `with database.atomic():`."
            raise ValidationError(message)
        if isinstance(self.database, SqliteDatabase) and not self.driver.in_transaction:
            raise failures.undone()

    def is_observed(self) -> bool:
        """Return whether Peewee logs statements."""
        return _LOGGER.isEnabledFor(logging.DEBUG)

    def execute_observed(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Execute a statement of core's by Peewee."""
        return self.database.execute_sql(sql, parameters)

    def close(self) -> None:
        """Close the connection, or return it to its pool; if it was lost, the idle ones of the pool are lost too."""
        is_lost = bool(getattr(self.driver, "closed", False))
        self.database.close()
        if is_lost and hasattr(self.database, "close_idle"):
            self.database.close_idle()
