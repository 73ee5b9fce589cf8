"""SQLite has one writer: a bound transaction takes it at its first call, and none waits for its own thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import peewee
import pytest
from sqlalchemy import create_engine

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests.rules.backend.tasks import awaited, until
from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def sqlmodel(path: Path) -> Iterator[tuple[asm.Backend, Any]]:
    engine = create_engine(f"sqlite:///{path}")
    with SQLModelBackend(engine, migrate=True) as backend:
        yield backend, engine.begin
    engine.dispose()


@contextmanager
def peewee_database(path: Path) -> Iterator[tuple[asm.Backend, Any]]:
    @contextmanager
    def begin() -> Iterator[peewee.Database]:
        database = peewee.SqliteDatabase(path, thread_safe=False, check_same_thread=False)
        with database.connection_context(), database.atomic():
            yield database

    with PeeweeBackend.open(f"sqlite:///{path}", migrate=True) as backend:
        yield backend, begin


@contextmanager
def memory(_path: Path) -> Iterator[tuple[asm.Backend, Any]]:
    yield MemoryBackend(), nullcontext


@pytest.fixture(params=[sqlmodel, peewee_database, memory])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[asm.Backend, Any]]:
    with request.param(tmp_path / "store.db") as found:
        yield found


def save(ports: asm.Ports, name: str) -> None:
    ports.session_store.save_session(asm.Session.new(id=name, agent_id="a"))


def names(backend: asm.Backend) -> set[str]:
    return {session.id for session in backend.session_store.list_sessions()}


def test_nothing_is_taken_before_the_first_call(opened: Any) -> None:
    backend, begin = opened
    with begin() as one, backend.bind(one) as first:
        with begin() as two, backend.bind(two) as second:
            save(second, "ses_second")
        save(first, "ses_first")
    assert names(backend) == {"ses_first", "ses_second"}


def test_two_bound_transactions_of_a_thread_do_not_wait_for_each_other(opened: Any) -> None:
    backend, begin = opened
    with begin() as one, backend.bind(one) as first, begin() as two, backend.bind(two) as second:
        save(first, "ses_first")
        with pytest.raises(asm.StorageError, match="would wait for itself"):
            save(second, "ses_second")
    assert names(backend) == {"ses_first"}


def test_another_task_does_not_wait_for_a_bound_writer(opened: Any) -> None:
    backend, begin = opened

    async def main() -> None:
        written, tried = asyncio.Event(), asyncio.Event()

        async def one() -> None:
            with begin() as connection, backend.bind(connection) as ports:
                save(ports, "ses_bound")
                written.set()
                await until(tried)

        async def two() -> None:
            await until(written)
            with pytest.raises(asm.StorageError, match="Another task of this thread"):
                save(backend, "ses_other")
            tried.set()

        await asyncio.gather(one(), two())

    awaited(main())
    assert names(backend) == {"ses_bound"}


def test_a_transaction_may_end_in_another_context_than_it_began(opened: Any) -> None:
    backend, _ = opened
    for _ in range(3):
        transaction = backend.transaction()
        ports = copy_context().run(transaction.__enter__)
        save(ports, "ses_moved")
        copy_context().run(transaction.__exit__, None, None, None)
    assert names(backend) == {"ses_moved"}
    save(backend, "ses_after")
    assert names(backend) == {"ses_moved", "ses_after"}


@pytest.mark.parametrize("ending", ["kept", "undone"])
def test_calls_of_several_threads_in_one_transaction_wait_for_each_other(opened: Any, ending: str) -> None:
    backend, _ = opened
    save(backend, "ses_one")

    def append(place: int) -> None:
        event = asm.Event.new(type="message_sent", session_id="ses_one" if place % 4 else "ses_unknown")
        with suppress(asm.SessionNotFoundError):
            ports.session_store.append_events([asm.Event.new(type="message_sent", session_id="ses_one"), event])

    with suppress(ZeroDivisionError), ThreadPoolExecutor(4) as pool, backend.transaction() as ports:
        list(pool.map(append, range(40)))
        if ending == "undone":
            raise ZeroDivisionError
    assert backend.session_store.get_latest_sequence("ses_one") == (60 if ending == "kept" else 0)
    assert backend.maintenance.health_check() == []


def test_a_transaction_ends_after_the_call_of_another_thread(opened: Any) -> None:
    backend, _ = opened
    save(backend, "ses_one")
    events = [asm.Event.new(type="message_sent", session_id="ses_one") for _ in range(2000)]
    with ThreadPoolExecutor(1) as pool:
        with backend.transaction() as ports:
            appended = pool.submit(ports.session_store.append_events, events)
        try:
            count = len(appended.result())
        except asm.StorageError:
            count = 0
    assert backend.session_store.get_latest_sequence("ses_one") == count


def test_a_peewee_transaction_of_a_thread_stays_there(tmp_path: Path) -> None:
    database = peewee.SqliteDatabase(tmp_path / "store.db")
    with PeeweeBackend(database, migrate=True) as backend, ThreadPoolExecutor(1) as pool:
        with database.atomic(), backend.bind(database) as ports:
            save(ports, "ses_here")
            error = pool.submit(save, ports, "ses_there").exception()
        assert isinstance(error, asm.StorageError)
        assert "Make the call there" in str(error)
        assert names(backend) == {"ses_here"}
    database.close()
