"""The backend: the four ports over one database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from asm_backend_pony.connection import SessionConnection, in_session
from asm_backend_pony.database import database_at, database_of, provider_dialect
from asm_core import ValidationError
from asm_core.sql import SQLBackend

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pony.orm import Database as PonyDatabase

    from asm_backend_pony.database import Database


class PonyBackend(SQLBackend):
    """Stores sessions on SQLite or PostgreSQL through Pony. Safe to share between threads."""

    name = "pony"

    def __init__(
        self,
        database: PonyDatabase,
        *,
        migrate: bool | int = False,
        schema: str | None = None,
        notify: bool = False,
    ) -> None:
        """Work on an application's own Pony database, which stays its own; inside its `db_session` the ports join that.

        Args:
            database: bound to SQLite or PostgreSQL; its mapping need not be generated.
            migrate: bring the schema up to date first; a number: up or down to that version.
            schema: the schema of PostgreSQL in which the tables stand.
            notify: have PostgreSQL tell of each append; and, while somebody waits, listen on a connection more.

        Raises:
            ValidationError: the database is not bound to one that this backend knows.
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        self._work_on(database_of(database, schema=schema, notify=notify), migrate=migrate)

    @classmethod
    def open(cls, url: str, /, *, migrate: bool | int = False, **options: Any) -> Self:
        """Open the database at `url` with connections of its own.

        Args:
            url: `sqlite:///path` or `postgresql://user@host/database`.
            migrate: make the database if need be, and bring its schema up to date, or to this version.
            options: those of `SQLiteOptions` or `PostgreSQLOptions`.
        """
        backend = cls.__new__(cls)
        backend._work_on(database_at(url, create=migrate is not False, options=options), migrate=migrate)  # noqa: SLF001  its own
        return backend

    def bind(self, connection: PonyDatabase) -> AbstractContextManager[None]:
        """Return a context in which the ports, in this thread, work inside another Pony database's `db_session`.

        Raises:
            ValidationError: it is no Pony database of the backend's kind, or this thread is in no `db_session`.
        """
        if provider_dialect(connection) is not self._database.dialect:
            message = f"bind() takes a Pony database on {self._database.dialect.value}, as the backend's own is."
            raise ValidationError(message)
        if not in_session():
            message = "bind() takes a database with an open transaction; call it inside db_session."
            raise ValidationError(message)
        return self._database.bind(SessionConnection(connection, schema=self._database.schema))

    def _work_on(self, database: Database, *, migrate: bool | int) -> None:
        self._database = database
        super().__init__(database, migrate=migrate)
