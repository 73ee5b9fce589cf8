"""PostgreSQL through Peewee and psycopg 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import PostgresqlDatabase, Proxy
from playhouse.pool import PooledDatabase

from asm_backend_peewee.connection import TableConnection, check_begun, connected
from asm_backend_peewee.errors import TRANSLATED
from asm_backend_peewee.models import define
from asm_core import DependencyNotAvailableError
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql import Dialect
from asm_core.sql.postgresql.database import OwnPostgreSQL, PostgreSQL, give_text
from asm_core.sql.postgresql.pool import Pooled, PostgreSQLPool
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core.sql import PostgreSQLOptions

_DEFAULT = "postgresql://"
"""Peewee needs to be told a database; this is the one that libpq takes by itself."""


class _PostgreSQL(PostgreSQL[TableConnection]):
    """What both have in common."""

    _translated = TRANSLATED

    def __init__(self, database: Any, *, schema: str | None, notify: bool) -> None:
        super().__init__(schema=schema, notify=notify)
        self.models = define(database, Dialect.POSTGRESQL, schema=schema)
        self._database = database

    def _savepoint(self, connection: TableConnection) -> AbstractContextManager[object]:
        savepoint: AbstractContextManager[object] = connection.database.atomic()
        return savepoint

    def _begin(self, connection: TableConnection) -> None:
        check_begun(connection)

    def _caller(self) -> TableConnection | None:
        return TableConnection(self._database, self.schema) if self._database.in_transaction() else None


class PostgreSQLDatabase(_PostgreSQL):
    """PostgreSQL on a Peewee database of the application's."""

    _is_inherited = False

    def __init__(self, database: Any, *, schema: str | None = None, notify: bool = False) -> None:
        """Use a database, with its connections and its settings."""
        super().__init__(database, schema=schema, notify=notify)

    def _reading(self) -> AbstractContextManager[TableConnection]:
        return connected(self._database, self.schema)

    @contextmanager
    def _writing(self) -> Iterator[TableConnection]:
        with connected(self._database, self.schema) as connection, self._database.atomic("READ COMMITTED"):
            yield connection

    def _abandon(self) -> None:
        # Not at once: a thread of the parent may have held the lock of the application's database.
        self._is_inherited = True

    def _caller(self) -> TableConnection | None:
        if self._is_inherited:
            self._database.dispose()
            self._is_inherited = False
        return super()._caller()

    def _connect_alone(self) -> Any:
        database = self._database.obj if isinstance(self._database, Proxy) else self._database
        # A pool counts what it opens itself.
        unpooled: Any = super(PooledDatabase, database) if isinstance(database, PooledDatabase) else database
        return unpooled._connect()  # noqa: SLF001  the public method would give the connection to this thread


class OwnPostgreSQLDatabase(OwnPostgreSQL[TableConnection], _PostgreSQL):
    """PostgreSQL on connections of the backend's own, which Peewee works on as core lends them."""

    _database: _Lent

    def __init__(self, database: _Lent, options: PostgreSQLOptions) -> None:
        """Open connections as `database` does."""
        super().__init__(database, schema=options.schema, notify=options.notify)
        self._pool = PostgreSQLPool(lambda: Pooled(database.open()), options)

    @contextmanager
    def _on(self, pooled: Pooled, *, alone: bool) -> Iterator[TableConnection]:  # noqa: ARG002  all are alike
        with self._database.lent(pooled.driver):
            yield TableConnection(self._database, self.schema)

    def _connect_alone(self) -> Any:
        return self._database.open()


Database = PostgreSQLDatabase | OwnPostgreSQLDatabase


class _Lent(PostgresqlDatabase):
    """Works on the connection that core lends to this thread; opens one that gives as text what core decodes."""

    _state: Any

    def open(self) -> Any:
        """Open a connection."""
        connection: Any = self._connect()
        if self.server_version is None:
            self._set_server_version(connection)  # type: ignore[attr-defined]  # not in its types
        return connection

    @contextmanager
    def lent(self, driver: Any) -> Iterator[None]:
        """Work on this connection in this thread."""
        state = vars(self._state)
        before = dict(state)
        try:
            self._state.set_connection(driver)
            yield
        finally:
            state.update(before)

    def _connect(self) -> Any:
        connection: Any = super()._connect()  # type: ignore[misc]  # not in its types
        from psycopg.types.string import TextLoader  # noqa: PLC0415  the driver is there by now

        give_text(connection, TextLoader)
        return connection


def open_database(url: str, options: PostgreSQLOptions) -> OwnPostgreSQLDatabase:
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
    database = _Lent(connect.pop("dbname", _DEFAULT), prefer_psycopg3=True, **connect)
    return OwnPostgreSQLDatabase(database, options)
