"""A store of each backend on each database, and plain SQL on the side."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Execute = Callable[..., list[Any]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database of the test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/asm.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, url: str) -> Iterator[asm.Backend]:
    """Return a backend on that database."""
    with asm.open_backend(request.param, url=url, migrate=True) as opened:
        yield opened


@pytest.fixture
def execute(url: str) -> Iterator[Execute]:
    """Return a function that executes and commits one statement, marks written as ``?``, and returns its rows."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    else:
        connection = psycopg.connect(url, autocommit=True)
    mark = "?" if url.startswith("sqlite") else "%s"
    with closing(connection):

        def run(sql: str, *parameters: object) -> list[Any]:
            cursor = connection.execute(sql.replace("?", mark), parameters)
            return list(cursor.fetchall()) if cursor.description else []

        yield run


@pytest.fixture
def set_back(url: str, execute: Execute) -> Callable[[str, int], None]:
    """Return a function that takes the last events of a session away, and gives their numbers free."""

    def back(session_id: str, last: int) -> None:
        execute("BEGIN" if url.startswith("postgresql") else "BEGIN IMMEDIATE")
        execute("DELETE FROM asm_events WHERE session_id = ? AND sequence_number > ?", session_id, last)
        execute("UPDATE asm_session_sequences SET last_sequence = ? WHERE session_id = ?", last, session_id)
        execute("COMMIT")

    return back
