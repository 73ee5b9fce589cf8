"""PostgreSQL through Peewee and psycopg 3."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from peewee import PostgresqlDatabase, Proxy
from playhouse.pool import PooledDatabase, PooledPostgresqlDatabase

from asm_backend_peewee.connection import AT_ONCE, TableConnection, check_begun, connected
from asm_backend_peewee.errors import TRANSLATED
from asm_backend_peewee.models import define
from asm_core import DependencyNotAvailableError
from asm_core.sql import Dialect
from asm_core.sql.postgresql import PostgreSQL, give_text
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core.sql import PostgreSQLOptions

_DEFAULT = "postgresql://"
"""Peewee needs to be told a database; this is the one that libpq takes by itself."""


class PostgreSQLDatabase(PostgreSQL[TableConnection]):
    """PostgreSQL on a Peewee database, the application's or the backend's own."""

    _translated = TRANSLATED

    def __init__(self, database: Any, *, schema: str | None = None, notify: bool = False, owned: bool = False) -> None:
        """Use a database, of the application's unless it is `owned`."""
        super().__init__(schema=schema, notify=notify)
        self.models = define(database, Dialect.POSTGRESQL, schema=schema)
        self._database = database
        self._owned = owned

    def close(self) -> None:
        """Close what the backend opened itself."""
        super().close()
        if self._owned:
            self._database.shut()

    def _reading(self) -> AbstractContextManager[TableConnection]:
        return connected(self._database, self.schema)

    @contextmanager
    def _writing(self) -> Iterator[TableConnection]:
        with connected(self._database, self.schema) as connection, self._database.atomic():
            yield connection

    def _savepoint(self, connection: TableConnection) -> AbstractContextManager[object]:
        savepoint: AbstractContextManager[object] = connection.database.atomic()
        return savepoint

    def _begin(self, connection: TableConnection) -> None:
        check_begun(connection)

    def _caller(self) -> TableConnection | None:
        return TableConnection(self._database, self.schema) if self._database.in_transaction() else None

    def _abandon(self) -> None:
        self._database.dispose()

    def _connect_alone(self) -> Any:
        database = self._database.obj if isinstance(self._database, Proxy) else self._database
        # A pool counts what it opens itself.
        unpooled: Any = super(PooledDatabase, database) if isinstance(database, PooledDatabase) else database
        return unpooled._connect()  # noqa: SLF001  the public method would give the connection to this thread


class _Unpooled(PostgresqlDatabase):
    """Opens connections that give as text what core decodes."""

    def _connect(self) -> Any:
        connection: Any = super()._connect()  # type: ignore[misc]  # not in its types
        from psycopg.types.string import TextLoader  # noqa: PLC0415  the driver is there by now

        give_text(connection, TextLoader)
        return connection


class _Pool(PooledPostgresqlDatabase, _Unpooled):  # type: ignore[misc]  # playhouse is not typed
    """A pool that asks the server for nothing when it gives out a connection; what it opens is set up once."""

    is_shut = False

    def shut(self) -> None:
        """Close the connections that wait here, and those in use when they come back."""
        self.is_shut = True
        self.close_idle()

    def _is_closed(self, conn: Any) -> bool:
        return bool(conn.closed)

    def _can_reuse(self, conn: Any) -> bool:
        return not self.is_shut and bool(super()._can_reuse(conn))


def open_database(url: str, options: PostgreSQLOptions) -> PostgreSQLDatabase:
    """Open the database at `url` with a pool of its own.

    Raises:
        DependencyNotAvailableError: psycopg is not installed.
        ValidationError: the url is none, or has settings that PostgreSQL's client does not know.
    """
    try:
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415  only when PostgreSQL is asked for
    except ModuleNotFoundError as error:
        message = "PostgreSQL needs psycopg. Install it: pip install 'asm-backend-peewee[postgresql]'"
        raise DependencyNotAvailableError(message) from error
    connect = psycopg_settings(url, options, make_conninfo)
    database = _Pool(
        connect.pop("dbname", _DEFAULT),
        prefer_psycopg3=True,
        max_connections=options.pool_size,
        timeout=options.pool_timeout or AT_ONCE,
        **connect,
    )
    return PostgreSQLDatabase(database, schema=options.schema, notify=options.notify, owned=True)
