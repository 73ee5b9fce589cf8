"""PostgreSQL with SQLAlchemy and psycopg."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from asm_backend_sqlmodel.connection import TableConnection, Variant
from asm_backend_sqlmodel.engines import EngineConnector
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_core.concurrency.contexts import contextmanager
from asm_core.plugins import check_installed
from asm_core.sql.postgresql.connections import ServerConnections
from asm_core.sql.postgresql.database import PostgreSQL, give_text
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from asm_core.sql import PostgreSQLOptions


class PostgreSQLEngine(EngineConnector):
    """The connections of the application's engine."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine, its pool and its settings."""
        super().__init__(engine)
        self._read_committed = Variant(engine, "READ COMMITTED")

    @contextmanager
    def transaction(self) -> Iterator[TableConnection]:
        """Provide a connection of the pool, in a transaction."""
        with self._read_committed.engine.begin() as connection:
            yield TableConnection(connection)

    def connect_alone(self) -> Any:
        """Connect like the engine's pool, with its events, but outside of it."""
        connection = self._engine.pool.recreate().connect()
        driver = connection.dbapi_connection
        connection.detach()
        return driver


class _OwnConnections(ServerConnections[TableConnection]):
    def connect_alone(self) -> Any:
        """Return a new connection of the driver, which SQLAlchemy does not close with its own object."""
        connection = self._connect()
        connection.connection.detach()
        return connection.driver


def open_server(url: str, options: PostgreSQLOptions) -> PostgreSQL[TableConnection]:
    """Open the database at `url`, with the backend's own connections, in core's pool.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url is invalid, or has settings that libpq does not support.
    """
    check_installed("psycopg", user="PostgreSQL", distribution="asm-backend-sqlmodel[postgresql]")
    import psycopg  # noqa: PLC0415  only when PostgreSQL is asked for
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415
    from psycopg.types.string import TextLoader  # noqa: PLC0415

    settings = psycopg_settings(url, options, make_conninfo)

    def connect() -> Any:
        connection = psycopg.connect(**settings)
        give_text(connection, TextLoader)
        return connection

    engine = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        pool_reset_on_return=None,
    )
    connections = _OwnConnections(options, lambda: TableConnection(engine.connect()), TRANSLATED)
    return PostgreSQL.with_options(connections, options)
