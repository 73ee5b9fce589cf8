"""Which database it is, and how to come by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import PostgresqlDatabase, Proxy, SqliteDatabase

from asm_backend_peewee import postgresql, sqlite
from asm_core import ValidationError
from asm_core.sql import Dialect, PostgreSQLOptions, SQLiteOptions, check_schema, chosen
from asm_core.sql.options import refuse_notify
from asm_core.sql.urls import dialect_of, not_for_asyncio, sqlite_path

NAME = "peewee"
_REFUSED = {
    "SqliteQueueDatabase": "it writes in a thread of its own, without transactions; use a SqliteDatabase",
    "CockroachDatabase": "CockroachDB lacks the advisory locks of PostgreSQL, by which migrations wait for each other",
    "APSWDatabase": "its driver is not that of Python's sqlite3; use a SqliteDatabase",
    "CySqliteDatabase": "its driver is not that of Python's sqlite3; use a SqliteDatabase",
    "_SqlCipherDatabase": "its driver is not that of Python's sqlite3; use a SqliteDatabase",
}
"""Kinds of Peewee databases that derive from those on which this backend runs, and why it does not run on them."""
Database = sqlite.SQLiteDatabase | sqlite.OwnSQLiteDatabase | postgresql.Database

if TYPE_CHECKING:
    import peewee


def open_database(url: str, options: dict[str, Any], *, create: bool) -> Database:
    """Open the database at `url`, with connections of its own.

    Raises:
        ValidationError: the url or an option makes no sense.
        StorageConnectionError: there is no such file, and `create` is not set.
    """
    if dialect_of(url, backend=NAME) == Dialect.POSTGRESQL:
        return postgresql.open_database(url, chosen(PostgreSQLOptions, options, backend=NAME))
    return sqlite.open_database(sqlite_path(url), chosen(SQLiteOptions, options, backend=NAME), create=create)


def dialect_of_database(database: object) -> Dialect:
    """Return which database a Peewee database of the application's, or a proxy for one, is.

    Raises:
        ValidationError: it is none on which this backend runs.
    """
    found = database.obj if isinstance(database, Proxy) else database
    kinds = {base.__name__ for base in type(found).__mro__}
    for kind, why in _REFUSED.items():
        if kind in kinds:
            message = f"The {NAME} backend does not run on {type(found).__name__}: {why}."
            raise ValidationError(message)
    if "AsyncDatabaseMixin" in kinds:
        raise not_for_asyncio(f"The {type(found).__name__}")
    if isinstance(found, PostgresqlDatabase):
        return Dialect.POSTGRESQL
    if isinstance(found, SqliteDatabase):
        return Dialect.SQLITE
    message = f"The {NAME} backend runs on a SqliteDatabase or a PostgresqlDatabase, not on {type(found).__name__}."
    raise ValidationError(message)


def on_database(database: peewee.Database | Proxy, schema: str | None, *, notify: bool) -> Database:
    """Use a Peewee database of the application's.

    Raises:
        ValidationError: it is of another kind, not initialized, or SQLite, which has no schemas and no notifications.
    """
    if dialect_of_database(database) is Dialect.POSTGRESQL:
        place = None if schema is None else check_schema(schema)
        return postgresql.PostgreSQLDatabase(database, schema=place, notify=notify)
    if schema is not None:
        message = f"SQLite has no schemas, so that the tables cannot stand in {schema!r}."
        raise ValidationError(message)
    refuse_notify(notify)
    return sqlite.SQLiteDatabase(database)
