"""Concurrent requests of a web application write in its transactions, each whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import peewee
import pytest
from sqlalchemy import create_engine
from sqlmodel import Session as OrmSession
from web_server import check

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_sqlmodel import SQLModelBackend
from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

Application = tuple[asm.Backend, "Callable[[], AbstractContextManager[Any]]"]


@contextmanager
def sqlmodel(url: str) -> Iterator[Application]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    @contextmanager
    def transaction() -> Iterator[OrmSession]:
        with OrmSession(engine) as session:
            yield session
            session.commit()

    with SQLModelBackend(engine, migrate=True) as backend:
        yield backend, transaction
    engine.dispose()


@contextmanager
def peewee_of_each_request(url: str) -> Iterator[Application]:
    def connect() -> peewee.Database:
        if url.startswith("sqlite"):
            path = url.removeprefix("sqlite:///")
            return peewee.SqliteDatabase(path, thread_safe=False, check_same_thread=False)
        return peewee.PostgresqlDatabase(url, thread_safe=False, prefer_psycopg3=True)

    @contextmanager
    def transaction() -> Iterator[peewee.Database]:
        database = connect()
        with database.connection_context(), database.atomic():
            yield database

    with PeeweeBackend.open(url, migrate=True) as backend:
        yield backend, transaction


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/web.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.mark.parametrize("number", [20, 30, 100])
@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("opened", [sqlmodel, peewee_of_each_request])
def test_exactly_what_requests_that_did_not_fail_wrote_is_stored(opened: Any, url: str, number: int) -> None:
    with opened(url) as (backend, transaction):
        check(backend, transaction, number)


@pytest.mark.parametrize("number", [30, 100])
def test_the_backend_in_memory_takes_the_place_of_a_database(number: int) -> None:
    check(MemoryBackend(), nullcontext, number)
