"""The Pony backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_backend_pony.connection import SessionConnection, TableConnection, in_session
from asm_backend_pony.database import dialect_of_database, on_database
from asm_backend_pony.postgresql import open_server
from asm_backend_pony.sqlite import open_file
from asm_core import ValidationError
from asm_core.sql import Database, SQLBackend
from asm_core.sql.options import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pony.orm import Database as PonyDatabase

    from asm_core import Ports


class PonyBackend(SQLBackend):
    """The four ports on Pony. Safe to share between threads.

    Inside the application's own ``db_session``, the ports join its transaction.
    """

    name = "pony"
    _on_file = staticmethod(open_file)
    _on_server = staticmethod(open_server)

    def __init__(
        self,
        database: PonyDatabase | Database[TableConnection],
        *,
        migrate: bool | int = False,
        schema: str | None = None,
        notify: bool = False,
        append: str = AUTO,
    ) -> None:
        """Use the application's Pony database; it is not closed.

        Args:
            database: bound to SQLite or PostgreSQL; its mapping need not be generated; or the result of `open`.
            migrate: upgrade the schema first; a number: migrate up or down to that version.
            schema: the PostgreSQL schema of the tables; None: that of the connection.
            notify: have PostgreSQL send a notification of each append. While a caller waits for events, one more
                connection, which no pool counts, listens for them.
            append: ``plain`` appends on PostgreSQL with an UPDATE and an INSERT for each session; ``auto`` does so on a
                distributed table only.

        Raises:
            ValidationError: the database is not bound to SQLite or PostgreSQL.
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        store = (
            database if isinstance(database, Database) else on_database(database, schema, notify=notify, append=append)
        )
        super().__init__(store, migrate=migrate)

    def bind(self, connection: PonyDatabase) -> AbstractContextManager[Ports]:
        """Return a context that yields ports in another Pony database's `db_session`, in the thread of that.

        Raises:
            ValidationError: it is not a Pony database of the same dialect, or this thread is not in a `db_session`.
        """
        return super().bind(connection)

    def _joining(self, connection: Any) -> Callable[[], SessionConnection]:
        if dialect_of_database(connection) is not self._database.words.dialect:
            message = f"bind() takes a Pony database on {self._database.words.dialect}, as the backend's own is."
            raise ValidationError(message)
        if not in_session():
            message = "bind() takes a database with an open transaction. Call it inside db_session."
            raise ValidationError(message)
        return lambda: SessionConnection(connection)
