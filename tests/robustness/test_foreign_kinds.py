"""An application's engine, database or connection that a backend cannot work on is refused with the reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import peewee
import pony.orm
import pytest
import sqlalchemy
from playhouse.cockroachdb import CockroachDatabase
from playhouse.sqliteq import SqliteQueueDatabase
from sqlmodel import Session

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_pony import PonyBackend
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AsyncKind: Any = type("AsyncEngine", (), {"__module__": "sqlalchemy.ext.asyncio.engine"})
AsyncDatabaseMixin: Any = type("AsyncDatabaseMixin", (), {})  # the real one needs greenlet
AsyncSqliteDatabase: Any = type("AsyncSqliteDatabase", (AsyncDatabaseMixin, peewee.SqliteDatabase), {})
ON_AN_ASYNC_DRIVER = SimpleNamespace(dialect=SimpleNamespace(is_async=True, driver="aiosqlite"))
FOREIGN: list[Any] = [None, 5, "sqlite://", object(), {}, peewee.MySQLDatabase("x"), pony.orm.Database()]


@pytest.mark.parametrize("given", [AsyncKind(), ON_AN_ASYNC_DRIVER], ids=["engine", "driver"])
def test_what_belongs_to_asyncio_is_refused_with_where_to_go(given: Any) -> None:
    with pytest.raises(asm.ValidationError, match=r"is for asyncio.*asm_core\.aio"):
        SQLModelBackend(given)
    with (
        SQLModelBackend(sqlalchemy.create_engine("sqlite://"), migrate=True) as backend,
        pytest.raises(asm.ValidationError, match=r"is for asyncio.*asm_core\.aio"),
        backend.bind(given),
    ):
        pass


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (SqliteQueueDatabase, "it writes in a separate thread"),
        (AsyncSqliteDatabase, r"is for asyncio.*asm_core\.aio"),
        (CockroachDatabase, "lacks the advisory locks"),
    ],
)
def test_a_similar_kind_of_peewee_database_is_refused(tmp_path: Path, kind: Any, why: str) -> None:
    options = {"autostart": False} if kind is SqliteQueueDatabase else {}
    database = kind(str(tmp_path / "x.db"), **options)
    for given in (database, peewee.Proxy()):
        if isinstance(given, peewee.Proxy):
            given.initialize(database)
        with pytest.raises(asm.ValidationError, match=why):
            PeeweeBackend(given)


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    with asm.open_backend(request.param, url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as opened:
        yield opened


@pytest.mark.parametrize("place", range(len(FOREIGN)))
def test_anything_else_is_refused(backend: Any, place: int) -> None:
    kinds: dict[str, Any] = {"sqlmodel": SQLModelBackend, "peewee": PeeweeBackend, "pony": PonyBackend}
    with pytest.raises(asm.ValidationError):
        kinds[backend.name](FOREIGN[place])
    with pytest.raises(asm.ValidationError), backend.bind(FOREIGN[place]):
        pass


def test_a_session_without_an_engine_is_refused() -> None:
    with (
        SQLModelBackend(sqlalchemy.create_engine("sqlite://"), migrate=True) as backend,
        Session() as unbound,
        pytest.raises(asm.AsmError),
        backend.bind(unbound),
    ):
        pass


def test_a_connection_to_another_kind_of_database_is_refused(postgresql_url: str) -> None:
    other = sqlalchemy.create_engine(sqlalchemy.make_url(postgresql_url).set(drivername="postgresql+psycopg"))
    with (
        SQLModelBackend(sqlalchemy.create_engine("sqlite://"), migrate=True) as backend,
        other.connect() as connection,
        pytest.raises(asm.ValidationError, match="takes a connection to sqlite, not to postgresql"),
        backend.bind(connection),
    ):
        pass
    other.dispose()
