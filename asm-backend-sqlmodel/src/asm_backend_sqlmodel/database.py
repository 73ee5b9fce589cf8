"""Which database it is, and how to come by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_backend_sqlmodel import postgresql, sqlite
from asm_core import ValidationError
from asm_core.sql import Dialect, PostgreSQLOptions, SQLiteOptions, check_schema, chosen
from asm_core.sql.options import refuse_notify
from asm_core.sql.urls import dialect_of, sqlite_path

if TYPE_CHECKING:
    from sqlalchemy import Engine

NAME = "sqlmodel"
Database = sqlite.SQLiteDatabase | postgresql.PostgreSQLDatabase


def open_database(url: str, options: dict[str, Any], *, create: bool) -> Database:
    """Open the database at `url`, with connections of its own.

    Raises:
        ValidationError: the url or an option makes no sense.
        StorageConnectionError: there is no such file, and `create` is not set.
    """
    if dialect_of(url, backend=NAME) == Dialect.POSTGRESQL:
        return postgresql.open_database(url, chosen(PostgreSQLOptions, options, backend=NAME))
    return sqlite.open_database(sqlite_path(url), chosen(SQLiteOptions, options, backend=NAME), create=create)


def on_engine(engine: Engine, schema: str | None, *, notify: bool) -> Database:
    """Use an engine of the application's.

    Raises:
        ValidationError: it is of another database, or SQLite, which has no schemas and no notifications.
    """
    dialect = engine.dialect.name
    if dialect not in list(Dialect):
        message = f"The {NAME} backend runs on SQLite and PostgreSQL, not on {dialect}."
        raise ValidationError(message)
    if schema is None:
        schema = engine.get_execution_options().get("schema_translate_map", {}).get(None)
    if dialect == Dialect.POSTGRESQL:
        place = None if schema is None else check_schema(schema)
        return postgresql.PostgreSQLDatabase(engine, schema=place, notify=notify)
    if schema is not None:
        message = f"SQLite has no schemas, so that the tables cannot stand in {schema!r}."
        raise ValidationError(message)
    refuse_notify(notify)
    return sqlite.SQLiteDatabase(engine)
