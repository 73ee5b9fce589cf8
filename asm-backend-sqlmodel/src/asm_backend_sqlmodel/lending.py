"""SQLAlchemy works on the connections that core lends: its pool counts nothing, and gives what this thread has."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import Pool

from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.failures import undone
from asm_core.sql.postgresql.pool import Pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection


class Entry(Pooled):
    """A connection of core's pool, with what SQLAlchemy keeps about it."""

    def __init__(self, entry: ConnectionPoolEntry) -> None:
        """Hold a new connection."""
        self.entry = entry
        super().__init__(entry.driver_connection)

    def close(self) -> None:
        """Close it."""
        self.entry.close()


class LentPool(Pool):
    """What SQLAlchemy takes for its pool."""

    def __init__(self, connect: Callable[[], Any], **options: Any) -> None:
        """Open connections with `connect`, and ask nothing of the server when they come back."""
        super().__init__(connect, **{**options, "reset_on_return": None})
        self._here = threading.local()

    def open(self) -> Entry:
        """Open a connection."""
        entry = self._create_connection()
        try:
            return Entry(entry)
        except BaseException:
            entry.close()
            raise

    @contextmanager
    def lent(self, lent: Pooled) -> Iterator[None]:
        """Give this connection, which `open` opened, to SQLAlchemy in this thread."""
        self._here.entry = lent.entry if isinstance(lent, Entry) else None
        try:
            yield
        finally:
            self._here.entry = None

    def _do_get(self) -> ConnectionPoolEntry:
        entry: ConnectionPoolEntry = self._here.entry
        if entry.dbapi_connection is None:
            raise undone()  # SQLAlchemy found it lost, and would go on with another, outside of the transaction
        return entry

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        """Leave it to core."""

    def _invalidate(
        self, connection: PoolProxiedConnection, exception: BaseException | None = None, *_: object
    ) -> None:
        """Close a connection that was lost; core closes the others."""
        connection.invalidate(exception)

    def dispose(self) -> None:
        """Leave it to core."""
