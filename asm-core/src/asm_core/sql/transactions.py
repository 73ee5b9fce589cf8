"""A transaction on a connection, which calls can join."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic

from asm_core.concurrency.transactions import OpenTransaction
from asm_core.errors import StorageError
from asm_core.sql.connector import C

if TYPE_CHECKING:
    from collections.abc import Callable


class SQLTransaction(OpenTransaction, Generic[C]):
    """An open transaction of a connection.

    Attributes:
        is_own: whether the backend began it, not the caller.
    """

    __slots__ = ("_connection", "is_own")

    def __init__(
        self,
        connection: C | None,
        *,
        is_own: bool,
        outer: SQLTransaction[C] | None = None,
        is_call: bool = False,
    ) -> None:
        """Describe the open transaction of `connection`."""
        super().__init__(outer, is_call=is_call, excludes=is_own)
        self.is_own = is_own
        self._connection = connection

    @property
    def connection(self) -> C:
        """The connection; the caller holds the lock.

        Raises:
            StorageError: the ORM keeps it in the thread that began the transaction, which is another one.
        """
        assert self._connection is not None  # noqa: S101  see CallersTransaction
        self._check_thread(self._connection)
        return self._connection

    def _check_thread(self, connection: C) -> None:
        if connection.is_of_thread and self.thread != threading.get_ident():
            message = (
                "The ORM keeps this transaction's connection in the thread that began it, and this call is in another "
                "one. Make the call there."
            )
            raise StorageError(message)


class CallersTransaction(SQLTransaction[C]):
    """A transaction of the caller, which the first call joins."""

    __slots__ = ("_connect", "_join")

    def __init__(self, connect: Callable[[], C], join: Callable[[CallersTransaction[C], C], object]) -> None:
        """Join it with `join` on the connection that `connect` returns."""
        super().__init__(None, is_own=False)
        self._connect = connect
        self._join = join

    @property
    def connection(self) -> C:
        """The connection; the caller holds the lock."""
        if self._connection is None:
            connection = self._connect()
            self._check_thread(connection)
            self._join(self, connection)
            self._connection = connection
        return super().connection
