"""PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, func, make_url, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError

from asm_backend_sqlmodel.database import Database
from asm_core import DependencyNotAvailableError, ValidationError
from asm_core.errors import shown
from asm_core.sql import Dialect
from asm_core.sql.append_postgresql import append_events, restore_events
from asm_core.sql.urls import check_server_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection, Engine

    from asm_backend_sqlmodel.connection import TableConnection
    from asm_backend_sqlmodel.options import PostgreSQLOptions
    from asm_core import Event
    from asm_core.sql import Execute

_BATCHES = 7237973421
"""The advisory lock of maintenance; core's migrations have the number before it."""


class PostgreSQLDatabase(Database):
    """PostgreSQL, whose row locks let many write at once. Connections come from the engine's pool."""

    insert = staticmethod(insert)

    def __init__(self, engine: Engine, *, schema: str | None = None, owned: bool = False) -> None:
        """Use an engine, of the application's unless it is `owned`."""
        super().__init__(engine, Dialect.POSTGRESQL, schema=schema)
        self._owned = owned
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def batch(self) -> Iterator[TableConnection]:
        """Give a connection to write with, in one transaction, while nobody else is in such a batch."""
        with self.write() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_BATCHES)))
            yield connection

    def append(self, events: list[Event]) -> list[Event]:
        """Append events: one statement, committed by itself where no transaction is open."""
        statement = self._execute_alone if self._current() is None else self._execute_together
        return append_events(statement, self._execute_together, events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""
        with self._execute_together() as execute:
            return restore_events(execute, session_id, events, last_sequence)

    def change_token(self) -> object:
        """Return None: there is no question cheaper than the counters themselves."""
        return None

    def close(self) -> None:
        """Close what this backend opened itself."""
        self._closed = True
        if self._owned:
            self._engine.dispose()

    @contextmanager
    def _execute_alone(self) -> Iterator[Execute]:
        with self.read() as connection:
            yield connection.execute_sql

    @contextmanager
    def _execute_together(self) -> Iterator[Execute]:
        with self.write() as connection:
            yield connection.execute_sql

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._autocommit.connect()

    def _writing(self) -> AbstractContextManager[Connection]:
        return self._engine.begin()

    def _savepoint(self, connection: Connection) -> AbstractContextManager[object]:
        return connection.begin_nested()

    def _begin(self, connection: Connection) -> None:
        """Leave it to SQLAlchemy, which begins with the first statement."""


def open_database(url: URL, options: PostgreSQLOptions) -> PostgreSQLDatabase:
    """Open the database at `url` with a pool of its own.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url has settings that make no sense.
    """
    connect = {
        "connect_timeout": options.connect_timeout,
        "application_name": options.application_name,
        "prepare_threshold": options.prepare_threshold or None,
    }
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
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
    _check_settings(url)
    event.listen(engine, "connect", _leave_json_alone)
    return PostgreSQLDatabase(engine, schema=options.schema, owned=True)


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


def parsed(url: str) -> URL:
    """Return a url taken apart.

    Raises:
        ValidationError: it is none.
    """
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        message = "The url is neither of the form sqlite:///path/to/file.db nor postgresql://user@host/database."
        raise ValidationError(message) from None
    if place.get_backend_name() == Dialect.POSTGRESQL:
        check_server_url(url)
    return place
