"""The application's Peewee database, and its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import PostgresqlDatabase, Proxy, SqliteDatabase
from playhouse.pool import PooledDatabase

from asm_backend_peewee.connection import TableConnection
from asm_backend_peewee.errors import TRANSLATED
from asm_core import ValidationError
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql import Connector, Database, Dialect
from asm_core.sql.options import refuse_on_sqlite
from asm_core.sql.postgresql.database import PostgreSQL
from asm_core.sql.sqlite.database import SQLite
from asm_core.sql.urls import IN_MEMORY, not_for_asyncio

if TYPE_CHECKING:
    from collections.abc import Iterator

    import peewee

_REFUSED = {
    "SqliteQueueDatabase": "it writes in a separate thread, without transactions; use a SqliteDatabase",
    "CockroachDatabase": "CockroachDB lacks the advisory locks of PostgreSQL, by which migrations wait for each other",
    "APSWDatabase": "its driver is not that of Python's sqlite3; use a SqliteDatabase",
    "CySqliteDatabase": "its driver is not that of Python's sqlite3; use a SqliteDatabase",
    "_SqlCipherDatabase": "its driver is not that of Python's sqlite3; use a SqliteDatabase",
}
"""Subclasses of supported Peewee databases that are not supported, with the reasons."""


class PeeweeConnector(Connector[TableConnection]):
    """The connections of the application's database in each thread."""

    errors = TRANSLATED
    _is_inherited = False

    def __init__(self, database: Any, dialect: Dialect) -> None:
        """Use a Peewee database, with its connections and its settings."""
        self._connection = TableConnection(database)
        self._database = database
        self._begin = "IMMEDIATE" if dialect is Dialect.SQLITE else "READ COMMITTED"

    @contextmanager
    def statement(self) -> Iterator[TableConnection]:
        """Provide the connection of this thread: the open one, or a new one for this call.

        A database in memory stays open, because closing would delete it.
        """
        database = self._database
        if not database.is_closed() and not database.in_transaction() and _is_lost(database):
            database.close()
        is_ours = database.is_closed()
        if is_ours:
            database.connect()
        try:
            yield self._connection
        finally:
            if is_ours and not (isinstance(database, SqliteDatabase) and database.database == IN_MEMORY):
                self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[TableConnection]:
        """Provide the connection of this thread, in a Peewee transaction."""
        with self.statement() as connection, self._database.atomic(self._begin):
            yield connection

    def callers_transaction(self) -> TableConnection | None:
        """Return the connection if the application has an open transaction in this thread."""
        if self._is_inherited:
            self._database.dispose()
            self._is_inherited = False
        return self._connection if self._database.in_transaction() else None

    def connect_alone(self) -> Any:
        """Connect like the database, but outside of its pool."""
        database = self._database.obj if isinstance(self._database, Proxy) else self._database
        unpooled: Any = super(PooledDatabase, database) if isinstance(database, PooledDatabase) else database
        return unpooled._connect()  # noqa: SLF001  the public method would assign the connection to this thread

    def leave_to_parent(self) -> None:
        """Make Peewee connect again later; now, a thread of the parent may have held the database's lock."""
        self._is_inherited = True


def on_database(
    database: peewee.Database | Proxy, schema: str | None, *, notify: bool, append: str
) -> Database[TableConnection]:
    """Use the application's Peewee database.

    Raises:
        ValidationError: it is unsupported or not initialized, or SQLite with options that only PostgreSQL has.
    """
    dialect = dialect_of_database(database)
    connector = PeeweeConnector(database, dialect)
    if dialect is Dialect.POSTGRESQL:
        return PostgreSQL(connector, schema=schema, notify=notify, append=append)
    refuse_on_sqlite(schema, notify, append)
    return SQLite(connector)


def dialect_of_database(database: object) -> Dialect:
    """Return the dialect of a Peewee database, or of a proxy for one.

    Raises:
        ValidationError: it is not supported.
    """
    found = database.obj if isinstance(database, Proxy) else database
    kinds = {base.__name__ for base in type(found).__mro__}
    for kind, why in _REFUSED.items():
        if kind in kinds:
            message = f"The peewee backend does not run on {type(found).__name__}: {why}."
            raise ValidationError(message)
    if "AsyncDatabaseMixin" in kinds:
        raise not_for_asyncio(f"The {type(found).__name__}")
    if isinstance(found, PostgresqlDatabase):
        return Dialect.POSTGRESQL
    if isinstance(found, SqliteDatabase):
        return Dialect.SQLITE
    message = f"The peewee backend runs on a SqliteDatabase or a PostgresqlDatabase, not on {type(found).__name__}."
    raise ValidationError(message)


def _is_lost(database: Any) -> bool:
    return bool(getattr(database.connection(), "closed", False))
