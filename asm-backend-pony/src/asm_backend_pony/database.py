"""The application's Pony database, and its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm import Database as PonyDatabase
from pony.orm import db_session

from asm_backend_pony.connection import SessionConnection, TableConnection, in_session
from asm_backend_pony.errors import TRANSLATED
from asm_core import ValidationError
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql import Connector, Database, Dialect
from asm_core.sql.options import refuse_on_sqlite
from asm_core.sql.postgresql.database import PostgreSQL
from asm_core.sql.sqlite.database import SQLite

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROVIDERS = {"SQLite": Dialect.SQLITE, "PostgreSQL": Dialect.POSTGRESQL}


class PonyConnector(Connector[TableConnection]):
    """The connections of the application's Pony database: that of its `db_session`, or of a new one for each call."""

    errors = TRANSLATED

    def __init__(self, database: PonyDatabase) -> None:
        """Use `database`. In a forked child Pony connects again by itself."""
        self._connection = SessionConnection(database)

    @contextmanager
    def statement(self) -> Iterator[TableConnection]:
        """Provide the connection of a new session."""
        with db_session:
            yield self._connection

    @contextmanager
    def transaction(self) -> Iterator[TableConnection]:
        """Provide the connection of a new session, in a transaction."""
        with db_session:
            self._connection.join()
            yield self._connection

    def callers_transaction(self) -> TableConnection | None:
        """Return the connection of this thread's `db_session`."""
        return self._connection if in_session() else None

    def connect_alone(self) -> Any:
        """Connect like Pony's pool, which has one connection for each thread."""
        pool = self._connection.database.provider.pool
        return pool.dbapi_module.connect(*pool.args, **pool.kwargs)


def on_database(database: PonyDatabase, schema: str | None, *, notify: bool, append: str) -> Database[TableConnection]:
    """Use the application's Pony database.

    Raises:
        ValidationError: it is not bound or not supported, or it is SQLite with options that only PostgreSQL has.
    """
    connector = PonyConnector(database)
    if dialect_of_database(database) is Dialect.POSTGRESQL:
        return PostgreSQL(connector, schema=schema, notify=notify, append=append)
    refuse_on_sqlite(schema, notify, append)
    return SQLite(connector)


def dialect_of_database(database: object) -> Dialect:
    """Return the dialect of a Pony database.

    Raises:
        ValidationError: it is not a Pony database, or its database is not supported.
    """
    provider = database.provider if isinstance(database, PonyDatabase) else None
    dialect = None if provider is None else _PROVIDERS.get(provider.dialect)
    if dialect is None:
        found = type(database).__name__ if provider is None else provider.dialect
        message = f"The pony backend takes a pony.orm.Database that is bound to SQLite or PostgreSQL, not {found}."
        raise ValidationError(message)
    return dialect
