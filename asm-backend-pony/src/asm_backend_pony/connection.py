"""A connection on which both Pony's queries and core's statements are executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pony.orm.core import local

from asm_core.sql import qualified

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pony.orm import Database as PonyDatabase

    from asm_core.sql import Cursor

_CHUNK: Final = 500
"""How many rows are fetched at a time: thousands at once provoke a full garbage collection."""


class PonyConnection:
    """A driver's connection, and what gives it back."""

    def __init__(self, driver: Any, *, schema: str | None = None, give_back: Callable[[], None] | None = None) -> None:
        """Execute on `driver`; core's tables stand in `schema`."""
        self._driver = driver
        self._schema = schema
        self._give_back = give_back

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self._driver

    def execute_sql(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Execute a statement of core's, its tables in their schema, in the transaction that is open."""
        cursor: Cursor = self._execute(qualified(sql, self._schema) if self._schema else sql, parameters or None)
        return cursor

    execute_kept = execute_sql

    def begin(self) -> None:
        """See to it that a transaction is open: one of the backend's own is."""

    def close(self) -> None:
        """Give the connection back to whoever pools it."""
        if self._give_back is not None:
            self._give_back()

    def _execute(self, sql: str, parameters: Any) -> Any:
        cursor = self.driver.cursor()
        if parameters is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, parameters)
        return cursor


class SessionConnection(PonyConnection):
    """The connection that a Pony database has in this thread's `db_session`."""

    def __init__(self, database: PonyDatabase, *, schema: str | None = None) -> None:
        """Execute on the connection of `database`; core's tables stand in `schema`."""
        super().__init__(None, schema=schema)
        self.database = database

    @property
    def driver(self) -> Any:
        """The driver's connection, to which what the session has changed was sent before."""
        return self.database._get_cache().prepare_connection_for_query_execution()  # noqa: SLF001  begins nothing

    def begin(self) -> None:
        """See to it that a transaction is open, which ends with the session."""
        self.database.get_connection()
        # What Pony has read before is not to be its answer after a write.
        self.database._get_cache().query_results.clear()  # noqa: SLF001


def in_session() -> bool:
    """Return whether this thread is in a `db_session`."""
    return local.db_session is not None
