"""A connection of an ORM, as core uses it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from asm_core.sql.dialects import Cursor


class SQLConnection(ABC):
    """A connection of an ORM, on which both the ORM's statements and core's own are executed."""

    __slots__ = ()

    @property
    def is_of_thread(self) -> bool:
        """Whether the ORM keeps its transaction in the thread that began it."""
        return False

    @property
    @abstractmethod
    def driver(self) -> Any:
        """The driver's connection (PEP 249)."""

    @abstractmethod
    def savepoint(self) -> AbstractContextManager[object]:
        """Return a savepoint in the open transaction, made by the ORM; not called on SQLite."""

    def join(self) -> None:  # noqa: B027  optional
        """Check that the application's transaction is open on this connection, or begin it as the ORM does.

        Raises:
            ValidationError: no transaction is open, and the ORM begins none here.
            StorageError: an error has rolled back the transaction.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection, or return it to its pool."""

    def execute_sql(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Execute a statement of core in the open transaction."""
        if self.is_observed():
            return self.execute_observed(sql, parameters)
        return self._execute_on(self.driver.cursor(), sql, parameters)

    def execute_kept(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Work like `execute_sql`, on a kept cursor of the connection: the caller fetches its rows at once."""
        if self.is_observed():
            return self.execute_observed(sql, parameters)
        return self._execute_on(kept_cursor(self.driver), sql, parameters)

    def is_observed(self) -> bool:
        """Return whether a listener or a log of the ORM is to see the statements; called for each."""
        return False

    def execute_observed(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        """Execute a statement as the ORM does it, so that its listeners and logs see it."""
        return self._execute_on(self.driver.cursor(), sql, parameters)

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Cursor:
        # Without parameters, a percent sign needs no escape.
        return (cursor.execute(sql, parameters) if parameters else cursor.execute(sql)) or cursor  # type: ignore[no-any-return]


_KEPT = "asm_cursor"


def kept_cursor(driver: Any) -> Any:
    """Return a kept cursor of a connection: a new one of psycopg 3 costs a fifth of an append."""
    try:
        kept = driver.__dict__
    except AttributeError:
        return driver.cursor()  # of psycopg2, where it costs nothing
    cursor = kept.get(_KEPT)
    if cursor is None:
        cursor = kept[_KEPT] = driver.cursor()
    return cursor
