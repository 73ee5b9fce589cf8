"""Connections on which core's statements are executed: the backend's own, and that of Pony's `db_session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm.core import local

from asm_core.sql import SQLConnection, qualified
from asm_core.sql.postgresql.pool import savepoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pony.orm import Database as PonyDatabase


class TableConnection(SQLConnection):
    """Executes core's statements on a connection of the driver's; Pony has none but those of a `db_session`."""

    def __init__(self, driver: Any, schema: str | None = None) -> None:
        """Work on `driver`."""
        self._driver = driver
        self._schema = schema

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self._driver

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a savepoint."""
        return savepoint(self.execute_sql)

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
        return super()._execute_on(cursor, sql if self._schema is None else qualified(sql, self._schema), parameters)


class SessionConnection(TableConnection):
    """The connection that a Pony database has in this thread's `db_session`."""

    def __init__(self, database: PonyDatabase, schema: str | None = None) -> None:
        """Work on the connection of `database`."""
        super().__init__(None, schema)
        self.database = database

    @property
    def driver(self) -> Any:
        """The driver's connection, to which what the session has changed was sent before."""
        return self.database._get_cache().prepare_connection_for_query_execution()  # noqa: SLF001  begins nothing

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a savepoint in the transaction, which is begun if need be."""
        self.join()
        return super().savepoint()

    def join(self) -> None:
        """Begin a transaction, which ends with the session, if none is open."""
        self.database.get_connection()
        # What Pony has read before is not to be its answer after a write.
        self.database._get_cache().query_results.clear()  # noqa: SLF001

    def close(self) -> None:
        """Leave it to the session."""


def in_session() -> bool:
    """Return whether this thread is in a `db_session`."""
    return local.db_session is not None
