"""The Peewee backend."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from asm_backend_peewee.connection import TableConnection
from asm_backend_peewee.database import NAME, Database, dialect_of_database, on_database, open_database
from asm_core import ValidationError
from asm_core.sql import SQLBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    import peewee


class PeeweeBackend(SQLBackend):
    """The four ports on Peewee. Safe to share between threads.

    Inside the application's own ``database.atomic()`` the ports join it, without further ado.

    Attributes:
        models: the models of the tables, for queries of the application's own.
    """

    name = NAME

    def __init__(
        self,
        database: peewee.Database | peewee.Proxy | Database,
        *,
        migrate: bool | int = False,
        schema: str | None = None,
        notify: bool = False,
    ) -> None:
        """Use a database of the application's, on the connection that it has open in a thread, if it has.

        Args:
            database: a ``SqliteDatabase`` or ``PostgresqlDatabase``, pooled or not, or a ``Proxy`` for one; or what
                `open` opened. Where a thread has no connection open, one is opened for the call and closed again.
            migrate: bring the schema up to date first; a number: up or down to that version.
            schema: the schema of PostgreSQL in which the tables stand; None: the one that a connection has.
            notify: have PostgreSQL tell of each append; and, while somebody waits, listen on a connection more, which
                no pool counts.

        Raises:
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        place = database if isinstance(database, Database) else on_database(database, schema, notify=notify)
        super().__init__(place, migrate=migrate)
        self.models = place.models

    @classmethod
    def open(cls, url: str, /, *, migrate: bool | int = False, **options: Any) -> Self:
        """Open a database at `url`, with connections of its own; `options` are those of its kind of database."""
        return cls(open_database(url, options, create=migrate is not False), migrate=migrate)

    @contextmanager
    def bind(self, connection: peewee.Database | peewee.Proxy) -> Iterator[None]:
        """Let the ports, in this thread, work inside the transaction that is open on another Peewee database."""
        dialect = dialect_of_database(connection)
        if dialect is not self._database.dialect:
            message = f"bind() takes a database on {self._database.dialect}, not on {dialect}."
            raise ValidationError(message)
        with self._database.bind(TableConnection(connection, self._database.schema)):
            yield
