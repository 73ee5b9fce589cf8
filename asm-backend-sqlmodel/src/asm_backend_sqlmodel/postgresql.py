"""PostgreSQL through SQLAlchemy and psycopg."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_backend_sqlmodel.lending import LentPool
from asm_core import DependencyNotAvailableError
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.postgresql.database import OwnPostgreSQL, PostgreSQL, give_text
from asm_core.sql.postgresql.pool import PostgreSQLPool
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine

    from asm_core.sql import PostgreSQLOptions
    from asm_core.sql.postgresql.pool import Pooled


class _PostgreSQL(PostgreSQL[TableConnection]):
    """What both have in common."""

    _translated = TRANSLATED

    def __init__(self, engine: Engine, *, schema: str | None, notify: bool) -> None:
        super().__init__(schema=schema, notify=notify)
        self._engine = engine
        self.engine_dialect = engine.dialect

    def _savepoint(self, connection: TableConnection) -> AbstractContextManager[object]:
        return connection.connection.begin_nested()

    def _begin(self, connection: TableConnection) -> None:
        """Leave it to SQLAlchemy, which begins with the first statement."""


class PostgreSQLDatabase(_PostgreSQL):
    """PostgreSQL on an engine of the application's."""

    def __init__(self, engine: Engine, *, schema: str | None = None, notify: bool = False) -> None:
        """Use an engine, its pool and its settings."""
        super().__init__(engine, schema=schema, notify=notify)
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._transactions = engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def _reading(self) -> Iterator[TableConnection]:
        with self._single.connect() as connection:
            yield TableConnection(connection, self.schema)

    @contextmanager
    def _writing(self) -> Iterator[TableConnection]:
        with self._transactions.begin() as connection:
            yield TableConnection(connection, self.schema)

    def _abandon(self) -> None:
        self._engine.dispose(close=False)

    def _connect_alone(self) -> Any:
        # As the engine's pool connects, its events included, but not counted by it.
        connection = self._engine.pool.recreate().connect()
        driver = connection.dbapi_connection
        connection.detach()
        return driver


class OwnPostgreSQLDatabase(OwnPostgreSQL[TableConnection], _PostgreSQL):
    """PostgreSQL on connections of the backend's own, which SQLAlchemy works on as core lends them."""

    def __init__(self, connect: Callable[[], Any], options: PostgreSQLOptions) -> None:
        """Open connections with `connect`."""
        entries = LentPool(connect)
        engine = create_engine("postgresql+psycopg://", pool=entries, isolation_level="AUTOCOMMIT")
        super().__init__(engine, schema=options.schema, notify=options.notify)
        self._connect = connect
        self._entries = entries
        self._pool = PostgreSQLPool(entries.open, options)

    @contextmanager
    def _on(self, pooled: Pooled, *, alone: bool) -> Iterator[TableConnection]:  # noqa: ARG002  all are alike
        with self._entries.lent(pooled), self._engine.connect() as connection:
            yield TableConnection(connection, self.schema)

    def _connect_alone(self) -> Any:
        return self._connect()


Database = PostgreSQLDatabase | OwnPostgreSQLDatabase


def open_database(url: str, options: PostgreSQLOptions) -> OwnPostgreSQLDatabase:
    """Open the database at `url` with a pool of its own.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url is none, or has settings that PostgreSQL's client does not know.
    """
    try:
        import psycopg  # noqa: PLC0415  only when PostgreSQL is asked for
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415
        from psycopg.types.string import TextLoader  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = "PostgreSQL needs psycopg. Install it: pip install 'asm-backend-sqlmodel[postgresql]'"
        raise DependencyNotAvailableError(message) from error
    settings = psycopg_settings(url, options, make_conninfo)

    def connect() -> Any:
        connection = psycopg.connect(**settings)
        give_text(connection, TextLoader)
        return connection

    return OwnPostgreSQLDatabase(connect, options)
