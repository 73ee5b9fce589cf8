"""The option notify on an application's own engine or database: one connection more, which no pool counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import peewee
import pytest
from playhouse.pool import PooledPostgresqlDatabase
from pony.orm import Database as PonyDatabase
from sqlalchemy import create_engine, make_url

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_pony import PonyBackend
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests.making import a_session, an_event
from asm_contract_tests.together import PATIENCE, begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from listening import Listeners

    Opened = tuple[Any, type[asm.Backend], Callable[[], object]]


def with_engine(url: str) -> Opened:
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        engine = create_engine(place)
    else:
        # Two: one for the waiter, one for the watcher.
        engine = create_engine(place.set(drivername="postgresql+psycopg"), pool_size=2, max_overflow=0)
    return engine, SQLModelBackend, engine.dispose


def with_peewee(url: str) -> Opened:
    if url.startswith("sqlite"):
        database = peewee.SqliteDatabase(url.removeprefix("sqlite:///"))
    else:
        database = peewee.PostgresqlDatabase(url, prefer_psycopg3=True)
    return database, PeeweeBackend, database.close


def with_a_pool_of_peewee(url: str) -> Opened:
    # One each for the writer, the follower and the watcher; the listener is not counted.
    pool = PooledPostgresqlDatabase(url, prefer_psycopg3=True, max_connections=3)
    proxy = peewee.DatabaseProxy()
    proxy.initialize(pool)
    return proxy, PeeweeBackend, pool.close_all


def with_pony(url: str) -> Opened:
    if url.startswith("sqlite"):
        database = PonyDatabase("sqlite", url.removeprefix("sqlite:///"), create_db=True)
    else:
        database = PonyDatabase("postgres", url)
    return database, PonyBackend, database.disconnect


PLAIN = (with_engine, with_peewee, with_pony)


@pytest.fixture
def application(request: pytest.FixtureRequest, url: str) -> Iterator[tuple[Any, Any]]:
    """Return what the application has opened, and the backend's class for it."""
    opened, kind, close = request.param(url)
    yield opened, kind
    close()


@pytest.mark.usefixtures("no_polling")
@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("application", [*PLAIN, with_a_pool_of_peewee], indirect=True)
def test_a_commit_wakes_waiters_on_a_database_of_the_application(
    application: tuple[Any, Any],
    listeners: Listeners,
) -> None:
    opened, kind = application
    backend, other = kind(opened, migrate=True, notify=True), kind(opened, notify=True)
    session = backend.session_store.save_session(a_session())
    follow = backend.session_store.follow_events(session.id)
    for _ in range(3):
        with begun(lambda: next(follow)) as coming:
            listeners.wait_for(1)
            event = other.session_store.append_event(an_event(session))
            assert coming.result(PATIENCE) == event
    backend.close()
    listeners.wait_for(0)
    assert other.session_store.get_events(session.id)[-1] == event


@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("application", PLAIN, indirect=True)
def test_appends_do_not_notify_without_the_option(application: tuple[Any, Any], listeners: Listeners) -> None:
    opened, kind = application
    backend = kind(opened, migrate=True)
    session = backend.session_store.save_session(a_session())
    with listeners.told() as told:
        backend.session_store.append_event(an_event(session))
    assert told == []


@pytest.mark.parametrize("application", PLAIN, indirect=True)
@pytest.mark.parametrize(
    ("database", "notify", "message"),
    [
        ("sqlite", True, "SQLite sends no notifications. Leave notify out"),
        ("sqlite", 1, "notify must be True or False, not 1"),
        ("postgresql", "yes", "notify must be True or False, not 'yes'"),
    ],
)
def test_what_cannot_be_is_refused(application: tuple[Any, Any], notify: object, message: str) -> None:
    opened, kind = application
    with pytest.raises(asm.ValidationError, match=message):
        kind(opened, migrate=True, notify=notify)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_file_of_sqlite_has_no_such_option(open_backend: Callable[..., asm.Backend]) -> None:
    with pytest.raises(asm.ValidationError, match="no option 'notify' for this database"):
        open_backend(notify=True)
