"""A transaction that an error or a lost connection has undone is never taken for committed, on any connection."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import peewee
import pytest
from administrator import Administrator
from calls import EVENT, RUN, fill
from pony.orm import Database as PonyDatabase
from sqlalchemy import create_engine, make_url

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_pony import PonyBackend
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests.making import a_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Undo = Callable[[asm.Backend, str], object]


def of_its_own(name: str, url: str) -> Iterator[asm.Backend]:
    with asm.open_backend(name, url=url, migrate=True) as backend:
        yield backend


def on_the_applications(name: str, url: str) -> Iterator[asm.Backend]:
    path = url.removeprefix("sqlite:///") if url.startswith("sqlite") else None
    named = {"application_name": "application"}  # see administrator.py
    database: Any
    if name == "sqlmodel":
        place = make_url(url)
        engine = create_engine(
            place if path else place.set(drivername="postgresql+psycopg"), connect_args={} if path else named
        )
        yield SQLModelBackend(engine, migrate=True)
        engine.dispose()
    elif name == "peewee":
        database = (
            peewee.SqliteDatabase(path) if path else peewee.PostgresqlDatabase(url, prefer_psycopg3=True, **named)
        )
        yield PeeweeBackend(database, migrate=True)
        database.close()
    else:
        database = PonyDatabase("sqlite", path, create_db=True) if path else PonyDatabase("postgres", url, **named)
        yield PonyBackend(database, migrate=True)
        database.disconnect()


@pytest.fixture(params=[of_its_own, on_the_applications])
def backend(request: pytest.FixtureRequest, backend_name: str, url: str) -> Iterator[asm.Backend]:
    """Open the backend with its own connections, and on those of the application; fill it."""
    for opened in request.param(backend_name, url):
        fill(opened)
        yield opened


def lose_the_connection(_: asm.Backend, url: str) -> None:
    administrator = Administrator(url)
    administrator.terminate()
    administrator.connection.close()


def fail_a_read(backend: asm.Backend, url: str) -> None:
    administrator = Administrator(url)
    administrator.connection.execute("ALTER TABLE asm_runs RENAME TO away")
    with pytest.raises(asm.StorageError):
        backend.session_store.list_runs("s")
    administrator.connection.execute("ALTER TABLE away RENAME TO asm_runs")
    administrator.connection.close()


def fail_a_write(backend: asm.Backend, _: str) -> None:
    """Fail as SQLite does on a full disk; see the trigger below."""
    with pytest.raises(asm.StorageError):
        backend.session_store.save_run(RUN)


CALLS: dict[str, Callable[[asm.Backend], Any]] = {
    "nothing": lambda _: None,
    "a read": lambda backend: backend.session_store.get_session("s"),
    "a write": lambda backend: backend.session_store.append_event(EVENT),
    "a transaction": lambda backend: backend.maintenance.soft_delete_session("s"),
}


@pytest.mark.parametrize(
    ("database", "undo"),
    [("postgresql", lose_the_connection), ("postgresql", fail_a_read), ("sqlite", fail_a_write)],
)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_transaction_that_is_undone_raises_and_leaves_nothing(
    backend: asm.Backend, url: str, undo: Undo, call: Callable[[asm.Backend], Any]
) -> None:
    if undo is fail_a_write:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
            other.execute("CREATE TRIGGER t BEFORE INSERT ON asm_runs BEGIN SELECT RAISE(ROLLBACK, 'full'); END")

    def work() -> None:
        with backend.transaction():
            backend.session_store.append_event(EVENT)
            undo(backend, url)
            for _ in range(3):
                with suppress(asm.StorageError):
                    call(backend)

    with pytest.raises(asm.StorageError):
        work()
    assert backend.session_store.get_latest_sequence("s") == 5
    assert backend.session_store.get_session("s").deleted_at is None
    assert backend.session_store.append_event(EVENT).sequence_number == 6


def test_a_database_in_memory_keeps_its_data_after_a_transaction_that_was_rolled_back(backend_name: str) -> None:
    with asm.open_backend(backend_name, url="sqlite://", migrate=True) as backend:
        store = backend.session_store
        kept = store.save_session(a_session())
        for _ in range(2):
            with suppress(ZeroDivisionError), backend.transaction():
                store.save_session(a_session())
                raise ZeroDivisionError
        assert store.list_sessions() == [kept]
        added = store.save_session(a_session(id="added"))
        assert {session.id for session in store.list_sessions()} == {kept.id, added.id}
