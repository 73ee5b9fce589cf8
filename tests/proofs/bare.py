"""A database without any backend."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Give a bare connection to a database: it commits each statement by itself."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            yield connection
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


def ask(url: str, question: str) -> list[tuple[Any, ...]]:
    """Return what a database answers to plain SQL."""
    with connected(url) as connection:
        return list(connection.execute(question).fetchall())
