"""Which database it is, and how to come by it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from asm_backend_sqlmodel import postgresql, sqlite
from asm_core import ValidationError
from asm_core.errors import shown
from asm_core.sql import Dialect, PostgreSQLOptions, SQLiteOptions, check_schema, chosen
from asm_core.sql.options import refuse_notify
from asm_core.sql.urls import dialect_of, not_for_asyncio, sqlite_path

NAME = "sqlmodel"
Database = sqlite.SQLiteDatabase | postgresql.Database


def open_database(url: str, options: dict[str, Any], *, create: bool) -> Database:
    """Open the database at `url`, with connections of its own.

    Raises:
        ValidationError: the url or an option makes no sense.
        StorageConnectionError: there is no such file, and `create` is not set.
    """
    if dialect_of(url, backend=NAME) == Dialect.POSTGRESQL:
        return postgresql.open_database(url, chosen(PostgreSQLOptions, options, backend=NAME))
    return sqlite.open_database(sqlite_path(url), chosen(SQLiteOptions, options, backend=NAME), create=create)


def check_synchronous(given: object) -> None:
    """Refuse an engine, a connection or a session that belongs to asyncio.

    Raises:
        ValidationError: it does, or its driver does.
    """
    if any(base.__module__.startswith("sqlalchemy.ext.asyncio") for base in type(given).__mro__):
        kind = type(given).__name__
        raise not_for_asyncio(f"The {kind}")
    dialect: Any = getattr(given, "dialect", None)
    if getattr(dialect, "is_async", False) is True:
        raise not_for_asyncio(f"The driver {shown(dialect.driver)}")


def on_engine(engine: Engine, schema: str | None, *, notify: bool) -> Database:
    """Use an engine of the application's.

    Raises:
        ValidationError: it is of another database, or SQLite, which has no schemas and no notifications.
    """
    check_synchronous(engine)
    dialect = getattr(getattr(engine, "dialect", None), "name", None)
    if isinstance(dialect, str) and dialect not in list(Dialect):
        message = f"The {NAME} backend runs on SQLite and PostgreSQL, not on {dialect}."
        raise ValidationError(message)
    if not isinstance(engine, Engine):
        message = f"The {NAME} backend takes a SQLAlchemy Engine, not {shown(engine)}."
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
