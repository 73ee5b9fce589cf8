"""PostgreSQL through SQLAlchemy and psycopg."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_core import DependencyNotAvailableError
from asm_core.sql.postgresql import PostgreSQL, give_text
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from asm_core.sql import PostgreSQLOptions


class PostgreSQLDatabase(PostgreSQL[TableConnection]):
    """PostgreSQL on an engine, the application's or the backend's own."""

    _translated = TRANSLATED

    def __init__(self, engine: Engine, *, schema: str | None = None, notify: bool = False, owned: bool = False) -> None:
        """Use an engine, of the application's unless it is `owned`."""
        super().__init__(schema=schema, notify=notify)
        self._engine = engine
        self.engine_dialect = engine.dialect
        self._owned = owned
        self._single = engine if owned else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._transactions = engine.execution_options(isolation_level="READ COMMITTED") if owned else engine
        if owned:
            event.listen(engine, "checkin", self._let_go)

    def close(self) -> None:
        """Close what the backend opened itself."""
        super().close()
        if self._owned:
            self._engine.dispose()

    def _let_go(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """Close a connection that was in use while the backend was closed: nobody asks that pool for one any more."""
        if self._closed:
            record.invalidate()

    @contextmanager
    def _reading(self) -> Iterator[TableConnection]:
        with self._single.connect() as connection:
            yield TableConnection(connection, self.schema)

    @contextmanager
    def _writing(self) -> Iterator[TableConnection]:
        with self._transactions.begin() as connection:
            yield TableConnection(connection, self.schema)

    def _savepoint(self, connection: TableConnection) -> AbstractContextManager[object]:
        return connection.connection.begin_nested()

    def _begin(self, connection: TableConnection) -> None:
        """Leave it to SQLAlchemy, which begins with the first statement."""

    def _abandon(self) -> None:
        self._engine.dispose(close=False)

    def _connect_alone(self) -> Any:
        # As the engine's pool connects, its events included, but not counted by it.
        connection = self._engine.pool.recreate().connect()
        driver = connection.dbapi_connection
        connection.detach()
        return driver


def open_database(url: str, options: PostgreSQLOptions) -> PostgreSQLDatabase:
    """Open the database at `url` with a pool of its own.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url is none, or has settings that PostgreSQL's client does not know.
    """
    try:
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415  only when PostgreSQL is asked for
    except ModuleNotFoundError as error:
        message = "PostgreSQL needs psycopg. Install it: pip install 'asm-backend-sqlmodel[postgresql]'"
        raise DependencyNotAvailableError(message) from error
    connect = psycopg_settings(url, options, make_conninfo)
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args=connect,
        # Most calls are one statement, and that is to be one round trip; a transaction says what it needs.
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=options.pool_timeout,
    )
    event.listen(engine, "connect", _give_text)
    return PostgreSQLDatabase(engine, schema=options.schema, notify=options.notify, owned=True)


def _give_text(connection: Any, _record: object) -> None:
    from psycopg.types.string import TextLoader  # noqa: PLC0415  the driver is there by now

    give_text(connection, TextLoader)
