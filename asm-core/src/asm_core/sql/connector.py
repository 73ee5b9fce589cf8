"""What an ORM backend writes: a connector, which gives core connections by the ORM's own means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asm_core.sql.connection import SQLConnection

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from asm_core.sql.failures import Translating

C = TypeVar("C", bound=SQLConnection)


class Connector(ABC, Generic[C]):
    """Gives connections for a statement and for a transaction.

    Attributes:
        errors: a context in which errors of the driver and of the ORM become a `StorageError`.
        is_single: whether there is one connection, for all statements of all threads.
    """

    errors: Translating
    is_single = False

    @abstractmethod
    def statement(self) -> AbstractContextManager[C]:
        """Give a connection for one statement, which is committed by itself."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[C]:
        """Give a connection in a new transaction, which is committed at the end and rolled back on an exception.

        On SQLite it begins as a writer: one that begins as a reader fails at its first write if another writer came
        first, whatever the timeout.
        """

    def savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:  # noqa: ARG002  see core's own
        """Give a savepoint; `in_own`: in a transaction that `transaction` began. Not asked for on SQLite."""
        return connection.savepoint()

    def connect_alone(self) -> Any:
        """Return a new connection of the driver's to listen on, which no pool counts or closes; PostgreSQL only.

        Raises:
            NotImplementedError: the connector is one of SQLite.
        """
        raise NotImplementedError

    def callers_transaction(self) -> C | None:
        """Return the connection of the transaction that the application has open in this thread; None: there is none.

        Where the ORM records none, `Backend.bind` is the only way to join.
        """
        return None

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None: the connector cannot find out."""
        return None

    def leave_to_parent(self) -> None:
        """Drop, in a forked child, the parent's connections, without closing them."""

    def close(self) -> None:
        """Close the connections that the backend opened itself."""
