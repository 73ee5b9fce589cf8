"""Seeded databases, made once for a module: nothing that uses them may change them."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest
from bare import connected
from psycopg import sql
from seeding import fill
from sqlalchemy import make_url

from asm_core.sql import Dialect, migrate
from asm_core.sql.queries.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class NewStore(Protocol):
    """Makes a store."""

    def __call__(self, database: str, factor: float, *, analyze: bool = True) -> str:
        """Return the URL of a new store, `factor` times the smallest size."""


@pytest.fixture(scope="module")
def new_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewStore]:
    """Return what makes seeded stores; they are removed when the module is through."""
    made: list[str] = []
    worker, numbers = os.environ.get("PYTEST_XDIST_WORKER", "alone"), count()

    def make(database: str, factor: float, *, analyze: bool = True) -> str:
        dialect = Dialect(database)
        if dialect is Dialect.SQLITE:
            url = f"sqlite:///{tmp_path_factory.mktemp('seeded')}/asm.db"
        else:
            server = request.getfixturevalue("postgresql_server")
            name = f"asm_seeded_{worker}_{next(numbers)}"
            _on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            _on_server(server, "CREATE DATABASE {}", name)
            made.append(name)
            url = make_url(server).set(database=name).render_as_string(hide_password=False)
        with connected(url) as connection:
            connection.execute("BEGIN IMMEDIATE" if dialect is Dialect.SQLITE else "BEGIN")
            migrate(connection.execute, words_of(dialect))
            connection.execute("COMMIT")
        fill(url, factor, analyze=analyze)
        return url

    yield make
    for name in made:
        _on_server(request.getfixturevalue("postgresql_server"), "DROP DATABASE {} WITH (FORCE)", name)


def _on_server(server: str, statement: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # type: ignore[arg-type]
