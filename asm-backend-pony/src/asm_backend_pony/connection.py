"""The connections for core's statements: the backend's own, and that of Pony's `db_session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm.core import local, log_sql

from asm_core.sql import SQLConnection
from asm_core.sql.postgresql.pool import savepoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pony.orm import Database as PonyDatabase


class TableConnection(SQLConnection):
    """Executes core's statements on a driver's connection, outside of Pony's `db_session`."""

    def __init__(self, driver: Any) -> None:
        """Use `driver`."""
        self._driver = driver

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self._driver

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a savepoint."""
        return savepoint(self.execute_sql)

    def is_observed(self) -> bool:
        """Return whether Pony shows the statements of this thread: ``set_sql_debug``, ``sql_debugging``."""
        return bool(local.debug)

    def execute_observed(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Let Pony show a statement of core's, and execute it."""
        log_sql(sql, tuple(parameters))
        return self._execute_on(self.driver.cursor(), sql, parameters)

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()


class SessionConnection(TableConnection):
    """The connection that a Pony database has in this thread's `db_session`."""

    def __init__(self, database: PonyDatabase) -> None:
        """Use the connection of `database`."""
        super().__init__(None)
        self.database = database

    @property
    def is_of_thread(self) -> bool:
        """A `db_session` belongs to its thread."""
        return True

    @property
    def driver(self) -> Any:
        """The driver's connection, after the changes of the session were flushed."""
        return self.database._get_cache().prepare_connection_for_query_execution()  # noqa: SLF001  begins nothing

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a savepoint in the transaction, which is begun if necessary."""
        self.join()
        return super().savepoint()

    def join(self) -> None:
        """Begin a transaction if none is open; it ends with the session."""
        self.database.get_connection()
        # After a write, Pony must not return cached entities.
        self.database._get_cache().query_results.clear()  # noqa: SLF001

    def close(self) -> None:
        """Leave it to the session."""


def in_session() -> bool:
    """Return whether this thread is in a `db_session`."""
    return local.db_session is not None
