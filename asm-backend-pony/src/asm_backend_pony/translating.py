"""Pony's queries as statements: their SQL and its parameters, which the connection at hand executes.

Pony would execute a query on the connection of its session, keep the answer for as long as the session lasts, and
reconnect in the middle of a transaction, whose first half is lost with that. So it only translates here, on a database
without connections, and once for each query that is written down.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pony.orm import Database, db_session

from asm_backend_pony.models import Models, define
from asm_core.sql import Dialect, Statement

if TYPE_CHECKING:
    from pony.orm.core import Query

PROVIDERS = {Dialect.SQLITE: "sqlite", Dialect.POSTGRESQL: "postgres"}


class _NoPool:
    """In the place of Pony's pool, whose provider asks a connection what it can do."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def connect(self) -> tuple[Any, bool]:
        in_memory = self._dialect is Dialect.SQLITE
        return (sqlite3.connect(":memory:") if in_memory else SimpleNamespace(server_version=140000)), True

    def release(self, connection: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.close()


@lru_cache
def entities(dialect: Dialect, schema: str | None) -> Models:
    """Return the entities of a database that only translates."""
    database = Database(PROVIDERS[dialect], pony_pool_mockup=_NoPool(dialect), filename=None)
    database.priority = -1  # the last one in a session of the application's, whose errors at a commit stay its own
    models = define(database, schema=schema)
    database.generate_mapping(check_tables=False)
    return models


def selected(query: Query) -> Statement:
    """Return the statement for a query."""
    with db_session:
        sql, parameters, *_ = query._construct_sql_and_arguments()  # noqa: SLF001  get_sql() has no parameters
    return Statement(sql, parameters or ())


def deleted(query: Query) -> Statement:
    """Return the statement that deletes the entities of a query."""
    with db_session:
        tree = query._translator.construct_delete_sql_ast()  # noqa: SLF001  delete(bulk=True) executes it, too
        sql, adapter = query._database.provider.ast2sql(tree)  # noqa: SLF001
        return Statement(sql, adapter(query._vars))  # noqa: SLF001
