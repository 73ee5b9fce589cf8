from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from peewee import PostgresqlDatabase, SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from peewee import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def make(url: str) -> Callable[..., Database]:
    """Return what makes a database of the application's, of one of Peewee's classes."""

    def made(sqlite: type = SqliteDatabase, postgresql: type = PostgresqlDatabase, **options: object) -> Database:
        if url.startswith("sqlite"):
            return sqlite(url.removeprefix("sqlite:///"), **options)
        return postgresql(url, prefer_psycopg3=True, **options)

    return made
