"""PostgreSQL: connections of the backend's own, and those of an application's Pony database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg2
from pony.orm import db_session
from psycopg2.extensions import (
    TRANSACTION_STATUS_INERROR,
    UNICODE,
    make_dsn,
)

from asm_backend_pony.connection import PonyConnection, SessionConnection, in_session
from asm_backend_pony.errors import TRANSLATED
from asm_backend_pony.prepared import PreparingConnection
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.failures import undone
from asm_core.sql.postgresql import database as core
from asm_core.sql.postgresql.pool import Pooled, PostgreSQLPool, savepoint
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from pony.orm import Database as PonyDatabase

    from asm_core.sql import PostgreSQLOptions


_GIVEN_AS_TEXT: Final = {"json": 114, "jsonb": 3802, "timestamp": 1114}
"""What core's codec decodes: JSON, without loss, and times, faster; by their numbers in pg_type.

psycopg2 has any server write times as ISO 8601 does.
"""


class _PostgreSQL(core.PostgreSQL[PonyConnection]):
    """What both have in common."""

    _translated = TRANSLATED

    def _savepoint(self, connection: PonyConnection) -> AbstractContextManager[object]:
        connection.begin()
        return savepoint(connection.execute_sql)

    def _begin(self, connection: PonyConnection) -> None:
        connection.begin()


class SingleConnection(PonyConnection):
    """A connection for statements that each stand alone; what is executed often is prepared."""

    def _execute(self, sql: str, parameters: Any) -> Any:
        # Not in a transaction, which a statement that cannot be prepared would undo; nor what Pony says with names.
        if parameters and not isinstance(parameters, dict):
            return self.driver.execute(sql, parameters)
        return super()._execute(sql, parameters)


class OwnPostgreSQL(core.OwnPostgreSQL[PonyConnection], _PostgreSQL):
    """A pool of the backend's own connections."""

    def __init__(self, url: str, options: PostgreSQLOptions) -> None:
        """Connect to `url`, when it is first needed."""
        super().__init__(schema=options.schema, notify=options.notify)
        self._settings = psycopg_settings(url, options, make_dsn)
        self._prepare_threshold = self._settings.pop("prepare_threshold") or 0
        self._pool = PostgreSQLPool(lambda: Pooled(self._connect_alone()), options)

    @contextmanager
    def _on(self, pooled: Pooled, *, alone: bool) -> Iterator[PonyConnection]:
        yield (SingleConnection if alone else PonyConnection)(pooled.driver, schema=self.schema)

    def _connect_alone(self) -> Any:
        driver = psycopg2.connect(**self._settings, connection_factory=PreparingConnection)
        driver.threshold = self._prepare_threshold
        # Where the driver looks up how to read a type. What register_type() puts there takes three times as long.
        driver.string_types.update(dict.fromkeys(_GIVEN_AS_TEXT.values(), UNICODE))
        return driver


class SessionPostgreSQL(_PostgreSQL):
    """An application's Pony database: in its `db_session` the ports join it, outside each call has one of its own."""

    def __init__(self, database: PonyDatabase, *, schema: str | None, notify: bool) -> None:
        """Use `database`."""
        super().__init__(schema=schema, notify=notify)
        self._connection = SessionConnection(database, schema=schema)

    def _caller(self) -> PonyConnection | None:
        return self._connection if in_session() else None

    @contextmanager
    def _reading(self) -> Iterator[PonyConnection]:
        with db_session:
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[PonyConnection]:
        with db_session:
            self._connection.begin()
            driver = self._connection.driver
            yield self._connection
            check_alive(self._connection)
            if self._connection.driver is not driver:
                raise undone()  # Pony went on with another connection, for a statement of the application's

    def _abandon(self) -> None:
        """Pony connects anew in a forked child."""

    def _connect_alone(self) -> Any:
        pool = self._connection.database.provider.pool
        return pool.dbapi_module.connect(*pool.args, **pool.kwargs)


def check_alive(connection: PonyConnection) -> None:
    """Refuse to commit what an error inside has undone: PostgreSQL would roll back, and say nothing."""
    if _status(connection.driver) == TRANSACTION_STATUS_INERROR:
        raise undone()


def _status(driver: Any) -> int:
    return int(driver.info.transaction_status)
