"""Connections to PostgreSQL that the backend opens itself, whatever the ORM that works on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.connector import C, Connector
from asm_core.sql.postgresql.pool import PostgreSQLPool, savepoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asm_core.sql.failures import Translating
    from asm_core.sql.options import PostgreSQLOptions


class ServerConnections(Connector[C]):
    """A pool of the ORM's connections."""

    def __init__(self, options: PostgreSQLOptions, connect: Callable[[], C], errors: Translating) -> None:
        """Begin without a connection.

        Args:
            options: how many connections, and how long to wait for one.
            connect: has the ORM open a connection, psycopg 3 or psycopg2, that no pool of the ORM keeps.
            errors: the ORM's.
        """
        self.errors = errors
        self._connect = connect
        self._pool = PostgreSQLPool(connect, options)

    @contextmanager
    def statement(self) -> Iterator[C]:
        """Lend a connection, in autocommit mode unless its isolation is another one than a statement needs."""
        with self._pool.lend() as pooled:
            if pooled.begins:
                with pooled.transaction():
                    yield pooled.connection
            else:
                yield pooled.connection

    @contextmanager
    def transaction(self) -> Iterator[C]:
        """Lend a connection, in a transaction."""
        with self._pool.lend() as pooled, pooled.transaction():
            yield pooled.connection

    def savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:
        """Give a savepoint; the ORM has not begun the transactions of the pool's connections."""
        return savepoint(connection.execute_sql) if in_own else connection.savepoint()

    def connect_alone(self) -> Any:
        """Return a new connection of the driver's, which the pool neither counts nor closes."""
        return self._connect().driver

    def leave_to_parent(self) -> None:
        """Drop the parent's connections."""
        self._pool.forget()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
