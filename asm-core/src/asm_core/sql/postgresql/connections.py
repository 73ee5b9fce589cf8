"""Connections to PostgreSQL that the backend opens itself, for any ORM."""

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
        """Start without a connection.

        Args:
            options: the size and the timeout of the pool.
            connect: opens a connection of the ORM, psycopg 3 or psycopg2, outside of the ORM's pool.
            errors: the error translation of the ORM.
        """
        self.errors = errors
        self.size = options.pool_size
        self._connect = connect
        self._pool = PostgreSQLPool(connect, options)

    @contextmanager
    def statement(self) -> Iterator[C]:
        """Lend a connection, in autocommit mode unless a statement needs another isolation than the connection's."""
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
        """Provide a savepoint; the ORM has not begun the transactions of the pool's connections."""
        return savepoint(connection.execute_sql) if in_own else connection.savepoint()

    def connect_alone(self) -> Any:
        """Return a new connection of the driver, outside of the pool."""
        return self._connect().driver

    def leave_to_parent(self) -> None:
        """Release the parent's connections."""
        self._pool.forget()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
