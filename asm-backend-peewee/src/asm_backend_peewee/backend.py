"""The Peewee backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_backend_peewee.connection import TableConnection
from asm_backend_peewee.database import dialect_of_database, on_database
from asm_backend_peewee.models import define
from asm_backend_peewee.postgresql import ServerDatabase, open_server
from asm_backend_peewee.sqlite import FileDatabase
from asm_core import ValidationError
from asm_core.sql import Database, SQLBackend
from asm_core.sql.options import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import peewee

    from asm_core import Ports


class PeeweeBackend(SQLBackend):
    """The four ports on Peewee. Safe to share between threads.

    Inside the application's own ``database.atomic()``, the ports join its transaction.

    Attributes:
        models: the models of the tables, for the application's own queries.
    """

    name = "peewee"
    _on_file = FileDatabase
    _on_server = staticmethod(open_server)

    def __init__(
        self,
        database: peewee.Database | peewee.Proxy,
        *,
        migrate: bool | int = False,
        schema: str | None = None,
        notify: bool = False,
        append: str = AUTO,
    ) -> None:
        """Use the application's database, on the connection that it has open in a thread, if any.

        Args:
            database: a ``SqliteDatabase`` or ``PostgresqlDatabase``, pooled or not, or a ``Proxy`` for one; or the
                result of `open`. If a thread has no open connection, one is opened for the call and closed after it.
            migrate: upgrade the schema first; a number: migrate up or down to that version.
            schema: the PostgreSQL schema of the tables; None: that of the connection.
            notify: have PostgreSQL send a notification of each append. While a caller waits for events, one more
                connection, which no pool counts, listens for them.
            append: ``plain`` appends on PostgreSQL with an UPDATE and an INSERT for each session; ``auto`` does so on a
                distributed table only.

        Raises:
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        if isinstance(database, FileDatabase | ServerDatabase):
            store: Database[TableConnection] = database.store()
        else:
            store = on_database(database, schema, notify=notify, append=append)
        self.models = define(database, store.words.dialect, schema=store.words.schema)
        super().__init__(store, migrate=migrate)

    def bind(self, connection: peewee.Database | peewee.Proxy) -> AbstractContextManager[Ports]:
        """Return a context that yields ports in the open transaction of another Peewee database.

        If they are to be used in another thread, it needs ``thread_safe=False``, and on SQLite
        ``check_same_thread=False``.
        """
        return super().bind(connection)

    def _joining(self, connection: Any) -> Callable[[], TableConnection]:
        dialect = dialect_of_database(connection)
        if dialect is not self._database.words.dialect:
            message = f"bind() takes a database on {self._database.words.dialect}, not on {dialect}."
            raise ValidationError(message)
        found = TableConnection(connection)
        found.join()
        return lambda: found
