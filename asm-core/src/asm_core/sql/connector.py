"""The connector, which an ORM backend implements: it provides the ORM's connections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asm_core.sql.connection import SQLConnection

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from asm_core.sql.failures import Translating

C = TypeVar("C", bound=SQLConnection)


class Connector(ABC, Generic[C]):
    """Provides connections for statements and for transactions.

    Attributes:
        errors: a context manager that translates errors of the driver and of the ORM to `StorageError`.
        is_single: whether there is one connection for all threads.
        size: the number of connections that can be in use at the same time.
    """

    errors: Translating
    is_single = False
    size = 5

    @abstractmethod
    def statement(self) -> AbstractContextManager[C]:
        """Provide a connection for one statement, which is committed by itself."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[C]:
        """Provide a connection in a new transaction, which commits at the end and rolls back on an exception.

        On SQLite it begins as a writer: one that begins as a reader fails at its first write if another writer came
        first, whatever the timeout.
        """

    def savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:  # noqa: ARG002  see core's own
        """Provide a savepoint; `in_own`: in a transaction that `transaction` began. Not called on SQLite."""
        return connection.savepoint()

    def connect_alone(self) -> Any:
        """Return a new connection of the driver for LISTEN, outside of any pool; PostgreSQL only.

        Raises:
            NotImplementedError: the connector is for SQLite.
        """
        raise NotImplementedError

    def callers_transaction(self) -> C | None:
        """Return the connection of the application's open transaction in this thread; None without one.

        If the ORM does not record it, `Backend.bind` is the only way to join.
        """
        return None

    def change_token(self) -> object:
        """Return a value that changes with each commit of another connection; None if the connector has none."""
        return None

    def leave_to_parent(self) -> None:
        """Release the parent's connections in a forked child, without closing them."""

    def close(self) -> None:
        """Close the connections that the backend opened itself."""
