"""Which database it is, and how to come by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import PostgresqlDatabase, Proxy, SqliteDatabase

from asm_backend_peewee import postgresql, sqlite
from asm_core import ValidationError
from asm_core.sql import Dialect, PostgreSQLOptions, SQLiteOptions, check_schema, chosen
from asm_core.sql.options import refuse_notify
from asm_core.sql.urls import dialect_of, sqlite_path

NAME = "peewee"
Database = sqlite.SQLiteDatabase | sqlite.OwnSQLiteDatabase | postgresql.PostgreSQLDatabase

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


def on_database(database: peewee.Database | Proxy, schema: str | None, *, notify: bool) -> Database:
    """Use a Peewee database of the application's.

    Raises:
        ValidationError: it is of another kind, not initialized, or SQLite, which has no schemas and no notifications.
    """
    kind = database.obj if isinstance(database, Proxy) else database
    if isinstance(kind, PostgresqlDatabase):
        place = None if schema is None else check_schema(schema)
        return postgresql.PostgreSQLDatabase(database, schema=place, notify=notify)
    if not isinstance(kind, SqliteDatabase):
        message = f"The {NAME} backend runs on a SqliteDatabase or a PostgresqlDatabase, not on {type(kind).__name__}."
        raise ValidationError(message)
    if schema is not None:
        message = f"SQLite has no schemas, so that the tables cannot stand in {schema!r}."
        raise ValidationError(message)
    refuse_notify(notify)
    return sqlite.SQLiteDatabase(database)
