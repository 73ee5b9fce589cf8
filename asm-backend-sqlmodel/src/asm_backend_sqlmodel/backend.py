"""The SQLModel backend."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection
from sqlalchemy.orm import Session as OrmSession

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.database import NAME, Database, check_synchronous, on_engine, open_database
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_core import ValidationError
from asm_core.sql import SQLBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


class SQLModelBackend(SQLBackend):
    """The four ports on SQLModel and SQLAlchemy. Safe to share between threads."""

    name = NAME

    def __init__(
        self,
        engine: Engine | Database,
        *,
        migrate: bool | int = False,
        schema: str | None = None,
        notify: bool = False,
    ) -> None:
        """Use an engine of the application's, with its pool and its settings; it is not closed.

        Args:
            engine: the application's; or what `open` opened.
            migrate: bring the schema up to date first; a number: up or down to that version.
            schema: the schema of PostgreSQL in which the tables stand; None: the one that a connection has, or that
                the engine's ``schema_translate_map`` gives for None.
            notify: have PostgreSQL tell of each append; and, while somebody waits, listen on a connection beside those
                of the pool, opened as the pool opens its own.

        Raises:
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        database = engine if isinstance(engine, Database) else on_engine(engine, schema, notify=notify)
        super().__init__(database, migrate=migrate)

    @classmethod
    def open(cls, url: str, /, *, migrate: bool | int = False, **options: Any) -> Self:
        """Open a database at `url`, with connections of its own; `options` are those of its kind of database."""
        return cls(open_database(url, options, create=migrate is not False), migrate=migrate)

    @contextmanager
    def bind(self, connection: Connection | OrmSession) -> Iterator[None]:
        """Let the ports, in this thread, work inside the transaction of a SQLModel ``Session`` or a ``Connection``."""
        check_synchronous(connection)
        if isinstance(connection, OrmSession):
            with TRANSLATED:
                connection = connection.connection()
        if not isinstance(connection, Connection):
            message = f"bind() takes a SQLModel Session or a SQLAlchemy Connection, not a {type(connection).__name__}."
            raise ValidationError(message)
        check_synchronous(connection)
        if connection.dialect.name != self._database.dialect:
            message = f"bind() takes a connection to {self._database.dialect}, not to {connection.dialect.name}."
            raise ValidationError(message)
        with self._database.bind(TableConnection(connection, self._database.schema)):
            yield
