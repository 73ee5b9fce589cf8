"""PostgreSQL through SQLAlchemy and psycopg."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.errors import translated
from asm_core import DependencyNotAvailableError, ValidationError
from asm_core.errors import shown
from asm_core.sql.postgresql import PostgreSQL
from asm_core.sql.urls import check_server_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from asm_core.sql import PostgreSQLOptions


class PostgreSQLDatabase(PostgreSQL[TableConnection]):
    """PostgreSQL on an engine, the application's or the backend's own."""

    insert = staticmethod(insert)

    def __init__(self, engine: Engine, *, schema: str | None = None, owned: bool = False) -> None:
        """Use an engine, of the application's unless it is `owned`."""
        super().__init__(schema=schema)
        self._engine = engine
        self._owned = owned
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        if owned:
            event.listen(engine, "checkin", self._let_go)

    def close(self) -> None:
        """Close what the backend opened itself."""
        self._closed = True
        if self._owned:
            self._engine.dispose()

    def _let_go(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """Close a connection that was in use while the backend was closed: nobody asks that pool for one any more."""
        if self._closed:
            record.invalidate()

    def _translated(self) -> AbstractContextManager[None]:
        return translated()

    @contextmanager
    def _reading(self) -> Iterator[TableConnection]:
        with self._autocommit.connect() as connection:
            yield TableConnection(connection, self.schema)

    @contextmanager
    def _writing(self) -> Iterator[TableConnection]:
        with self._engine.begin() as connection:
            yield TableConnection(connection, self.schema)

    def _savepoint(self, connection: TableConnection) -> AbstractContextManager[object]:
        return connection.connection.begin_nested()

    def _begin(self, connection: TableConnection) -> None:
        """Leave it to SQLAlchemy, which begins with the first statement."""

    def _abandon(self) -> None:
        self._engine.dispose(close=False)


def open_database(url: str, options: PostgreSQLOptions) -> PostgreSQLDatabase:
    """Open the database at `url` with a pool of its own.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url is none, or has settings that make no sense.
    """
    place = _parsed(url)
    connect = {
        "connect_timeout": options.connect_timeout,
        "application_name": options.application_name,
        "prepare_threshold": options.prepare_threshold or None,
    }
    try:
        engine = create_engine(
            place.set(drivername="postgresql+psycopg"),
            connect_args=connect,
            pool_size=options.pool_size,
            max_overflow=0,
            pool_timeout=options.pool_timeout,
        )
    except ModuleNotFoundError as error:
        message = "PostgreSQL needs psycopg. Install it: pip install 'asm-backend-sqlmodel[postgresql]'"
        raise DependencyNotAvailableError(message) from error
    except ArgumentError:
        message = "The url's hosts and ports do not fit together."
        raise ValidationError(message) from None
    _check_settings(place)
    event.listen(engine, "connect", _leave_json_alone)
    return PostgreSQLDatabase(engine, schema=options.schema, owned=True)


def _parsed(url: str) -> URL:
    check_server_url(url)
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        message = "The url is not of the form postgresql://user@host/database."
        raise ValidationError(message) from None


def _check_settings(url: URL) -> None:
    """Refuse what libpq does not know, or could not tell from its text; SQLAlchemy takes several hosts."""
    from psycopg.pq import Conninfo  # noqa: PLC0415  the driver is there by now

    known = {setting.keyword.decode() for setting in Conninfo.get_defaults()}
    for name, value in url.query.items():
        if name not in known or not (isinstance(value, str) or name == "host"):
            message = f"The url's setting {shown(name)} is none that PostgreSQL's client knows, or is there twice."
            raise ValidationError(message)


def _leave_json_alone(connection: Any, _record: object) -> None:
    """Have the driver give JSON as its text, which core decodes: once, and faster."""
    from psycopg.types.string import TextLoader  # noqa: PLC0415  the driver is there by now

    for kind in ("json", "jsonb"):
        connection.adapters.register_loader(kind, TextLoader)
