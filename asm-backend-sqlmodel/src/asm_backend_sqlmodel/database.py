"""The application's SQLAlchemy engine, connection or session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session as OrmSession

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_backend_sqlmodel.postgresql import PostgreSQLEngine
from asm_backend_sqlmodel.sqlite import SQLiteEngine
from asm_core import ValidationError
from asm_core.errors import short_repr
from asm_core.sql import Database, Dialect
from asm_core.sql.options import refuse_on_sqlite
from asm_core.sql.postgresql.database import PostgreSQL
from asm_core.sql.sqlite.database import SQLite
from asm_core.sql.urls import not_for_asyncio

if TYPE_CHECKING:
    from collections.abc import Callable


def on_engine(engine: Engine, schema: str | None, *, notify: bool, append: str) -> Database[TableConnection]:
    """Use the application's engine.

    Raises:
        ValidationError: its database is not supported, or it is SQLite with options that only PostgreSQL has.
    """
    _check_synchronous(engine)
    dialect = getattr(getattr(engine, "dialect", None), "name", None)
    if isinstance(dialect, str) and dialect not in list(Dialect):
        message = f"The sqlmodel backend runs on SQLite and PostgreSQL, not on {dialect}."
        raise ValidationError(message)
    if not isinstance(engine, Engine):
        message = f"The sqlmodel backend takes a SQLAlchemy Engine, not {short_repr(engine)}."
        raise ValidationError(message)
    if schema is None:
        schema = engine.get_execution_options().get("schema_translate_map", {}).get(None)
    if dialect == Dialect.POSTGRESQL:
        return PostgreSQL(PostgreSQLEngine(engine), schema=schema, notify=notify, append=append)
    refuse_on_sqlite(schema, notify, append)
    return SQLite(SQLiteEngine(engine))


def joining(given: Connection | OrmSession, dialect: Dialect) -> Callable[[], TableConnection]:
    """Return what makes a `TableConnection` of a SQLModel ``Session`` or a ``Connection``.

    A session takes a connection from its pool when that is called.

    Raises:
        ValidationError: it is neither, belongs to asyncio, or is connected to a database of another dialect.
    """
    if _is_for_asyncio(given) and isinstance(bound := _bound_of(given), Engine | Connection):
        from asm_backend_sqlmodel.asynchronous import check_driver, joining_loop  # noqa: PLC0415  it imports asyncio

        check_driver(bound.dialect.driver)
        _check_dialect(bound, dialect)
        return joining_loop(given)  # type: ignore[arg-type]
    _check_synchronous(given)
    if not isinstance(given, OrmSession | Connection):
        message = f"bind() takes a SQLModel Session or a SQLAlchemy Connection, not a {type(given).__name__}."
        raise ValidationError(message)
    with TRANSLATED:
        bound = given.get_bind() if isinstance(given, OrmSession) else given
    _check_synchronous(bound)
    _check_dialect(bound, dialect)
    return lambda: TableConnection(given.connection() if isinstance(given, OrmSession) else given)


def _check_dialect(bound: Engine | Connection, dialect: Dialect) -> None:
    if bound.dialect.name != dialect:
        message = f"bind() takes a connection to {dialect}, not to {bound.dialect.name}."
        raise ValidationError(message)


def _is_for_asyncio(given: object) -> bool:
    return any(base.__module__.startswith("sqlalchemy.ext.asyncio") for base in type(given).__mro__)


def _bound_of(given: Any) -> Any:
    """Return the synchronous engine or connection of an `AsyncSession` or an `AsyncConnection`; None of others."""
    with TRANSLATED:
        session = getattr(given, "sync_session", None)
        return getattr(given, "sync_connection", None) if session is None else session.get_bind()


def _check_synchronous(given: object) -> None:
    """Reject an engine, a connection or a session that belongs to asyncio, or whose driver does."""
    if _is_for_asyncio(given):
        raise not_for_asyncio(f"The {type(given).__name__}")
    dialect: Any = getattr(given, "dialect", None)
    if getattr(dialect, "is_async", False) is True:
        raise not_for_asyncio(f"The driver {short_repr(dialect.driver)}")
