"""PostgreSQL servers that the backend connects to itself, with Peewee and psycopg 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import PostgresqlDatabase

from asm_backend_peewee.connection import TableConnection
from asm_backend_peewee.errors import TRANSLATED
from asm_core.plugins import check_installed
from asm_core.sql.postgresql.connections import ServerConnections
from asm_core.sql.postgresql.database import PostgreSQL, give_text
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from asm_core.sql import PostgreSQLOptions

_DEFAULT = "postgresql://"
"""Peewee requires a database name; this is the default of libpq."""


class ServerDatabase(PostgresqlDatabase):
    """A server whose connections return text for core's codec; the models query it from any thread."""

    def __init__(self, settings: dict[str, Any], options: PostgreSQLOptions, *, thread_safe: bool = True) -> None:
        """Start without a connection."""
        self.options = options
        self._settings = settings
        super().__init__(**{"database": _DEFAULT, **settings}, prefer_psycopg3=True, thread_safe=thread_safe)

    def store(self) -> PostgreSQL[TableConnection]:
        """Return core's database, on core's pool."""
        connections = ServerConnections(self.options, self._open, TRANSLATED)
        return PostgreSQL.with_options(connections, self.options)

    def _open(self) -> TableConnection:
        # One Peewee database for each connection, without a lock and without a connection for each thread.
        database = ServerDatabase(self._settings, self.options, thread_safe=False)
        database.connect()
        return TableConnection(database)

    def _connect(self) -> Any:
        connection: Any = super()._connect()  # type: ignore[misc]  # not in its types
        from psycopg.types.string import TextLoader  # noqa: PLC0415  the driver is imported by now

        give_text(connection, TextLoader)
        return connection


def open_server(url: str, options: PostgreSQLOptions) -> ServerDatabase:
    """Open the database at `url`.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url is invalid, or has settings that libpq does not support.
    """
    check_installed("psycopg", user="PostgreSQL", distribution="asm-backend-peewee[postgresql]")
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415  only when PostgreSQL is asked for

    settings = psycopg_settings(url, options, make_conninfo)
    database = settings.pop("dbname", _DEFAULT)
    return ServerDatabase({**settings, "database": database}, options)
