"""Which database it is: all that differs between them is chosen here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm import Database as PonyDatabase

from asm_backend_pony.sqlite import OwnSQLite, SessionSQLite
from asm_core import DependencyNotAvailableError, ValidationError
from asm_core.sql import Dialect, PostgreSQLOptions, SQLiteOptions, check_schema, chosen
from asm_core.sql.options import refuse_notify
from asm_core.sql.sqlite.file import SQLiteFile
from asm_core.sql.urls import dialect_of, sqlite_path

if TYPE_CHECKING:
    from asm_backend_pony.postgresql import OwnPostgreSQL, SessionPostgreSQL

    Database = OwnSQLite | SessionSQLite | OwnPostgreSQL | SessionPostgreSQL

_NAME = "pony"
_PROVIDERS = {"SQLite": Dialect.SQLITE, "PostgreSQL": Dialect.POSTGRESQL}


def database_at(url: str, *, create: bool, options: dict[str, Any]) -> Database:
    """Return the database at `url`, on connections of its own.

    Raises:
        ValidationError: the url names none, or an option makes no sense.
        DependencyNotAvailableError: psycopg2 is not installed.
    """
    if dialect_of(url, backend=_NAME) is Dialect.SQLITE:
        return OwnSQLite(SQLiteFile(sqlite_path(url), chosen(SQLiteOptions, options, backend=_NAME), create=create))
    settings = chosen(PostgreSQLOptions, options, backend=_NAME)
    try:
        import psycopg2  # noqa: F401, PLC0415  an extra
    except ImportError as error:
        message = "PostgreSQL needs psycopg2: pip install 'asm-backend-pony[postgresql]'."
        raise DependencyNotAvailableError(message) from error
    from asm_backend_pony.postgresql import OwnPostgreSQL  # noqa: PLC0415

    return OwnPostgreSQL(url, settings)


def database_of(database: PonyDatabase, *, schema: str | None, notify: bool) -> Database:
    """Return an application's Pony database.

    Raises:
        ValidationError: it is not bound, or bound to what this backend does not know, or to SQLite with `notify`.
    """
    if provider_dialect(database) is Dialect.SQLITE:
        refuse_notify(notify)
        return SessionSQLite(database)
    from asm_backend_pony.postgresql import SessionPostgreSQL  # noqa: PLC0415  psycopg2 is there, as Pony has it

    place = None if schema is None else check_schema(schema)
    return SessionPostgreSQL(database, schema=place, notify=notify)


def provider_dialect(database: object) -> Dialect:
    """Return which database a Pony database is bound to.

    Raises:
        ValidationError: it is none of Pony's, or bound to none that this backend knows.
    """
    provider = database.provider if isinstance(database, PonyDatabase) else None
    dialect = None if provider is None else _PROVIDERS.get(provider.dialect)
    if dialect is None:
        found = type(database).__name__ if provider is None else provider.dialect
        message = f"The pony backend takes a pony.orm.Database that is bound to SQLite or PostgreSQL, not {found}."
        raise ValidationError(message)
    return dialect
