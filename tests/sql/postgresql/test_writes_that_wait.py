"""Writes on PostgreSQL that wait for a row lock find what was committed meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.making import a_run, a_session, an_event, some_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    import psycopg

    Write = Callable[[asm.SessionStore, asm.Session], Any]

PATIENCE = 60
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

WRITES: dict[str, Write] = {
    "append_event": lambda store, session: store.append_event(an_event(session)),
    "append_events": lambda store, session: store.append_events(some_events(session, 3)),
    "append_events to several": lambda store, session: store.append_events([an_event("ses_a"), an_event(session)]),
    "append_events to several, it first": lambda store, session: store.append_events(
        [an_event(session), an_event("ses_z")]
    ),
    "save_run": lambda store, session: store.save_run(a_run(session)),
    "flush": lambda store, session: store.flush(asm.ExecutionResult(session, a_run(session), some_events(session, 2))),
}
each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, url: str) -> Iterator[asm.Backend]:
    """Return a backend on the test's database, with three sessions."""
    with asm.open_backend(request.param, url=url, migrate=True) as opened:
        for name in ("ses_a", "ses_m", "ses_z"):
            opened.session_store.save_session(a_session(id=name))
        yield opened


def until_it_waits(connection: psycopg.Connection, call: Future[Any]) -> None:
    """Return once the call waits for a lock."""
    while connection.execute(WAITING).fetchone() != (1,):
        assert not call.done(), call


def logs(backend: asm.Backend) -> list[int]:
    """Return how many runs are stored, and the last number and the count of the events of each session."""
    store = backend.session_store
    found = [len(store.list_runs("ses_m"))]
    for name in ("ses_a", "ses_m", "ses_z"):
        found += [store.get_latest_sequence(name), len(store.get_events(name))]
    return found


@each_write
def test_a_write_finds_the_deletion_that_it_waited_for(
    backend: asm.Backend, connection: psycopg.Connection, write: Write
) -> None:
    store, session = backend.session_store, backend.session_store.get_session("ses_m")
    with ThreadPoolExecutor(1) as pool:
        with backend.transaction():
            backend.maintenance.soft_delete_session("ses_m")
            written = pool.submit(write, store, session)
            until_it_waits(connection, written)
        with pytest.raises(asm.SessionDeletedError, match="ses_m"):
            written.result(PATIENCE)
    assert logs(backend) == [0] * 7


@each_write
def test_a_write_goes_on_when_the_deletion_that_it_waited_for_is_undone(
    backend: asm.Backend, connection: psycopg.Connection, write: Write
) -> None:
    store, session = backend.session_store, backend.session_store.get_session("ses_m")
    with ThreadPoolExecutor(1) as pool:
        with suppress(ZeroDivisionError), backend.transaction():
            backend.maintenance.soft_delete_session("ses_m")
            written = pool.submit(write, store, session)
            until_it_waits(connection, written)
            raise ZeroDivisionError
        written.result(PATIENCE)
    assert sum(logs(backend)) > 0


@each_write
def test_a_deletion_waits_for_what_is_being_written(
    backend: asm.Backend, connection: psycopg.Connection, write: Write
) -> None:
    store, session = backend.session_store, backend.session_store.get_session("ses_m")
    with ThreadPoolExecutor(1) as pool:
        with backend.transaction():
            write(store, session)
            deleted = pool.submit(backend.maintenance.soft_delete_session, "ses_m")
            until_it_waits(connection, deleted)
        assert deleted.result(PATIENCE).deleted_at is not None
    before = logs(backend)
    with pytest.raises(asm.SessionDeletedError):
        write(store, session)
    assert logs(backend) == before
    assert backend.maintenance.health_check() == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [({"status": "failed"}, asm.InvalidTransitionError), ({"session_id": "ses_a"}, asm.AlreadyExistsError)],
    ids=["another end", "another session"],
)
def test_a_run_finds_the_one_that_it_waited_for(
    backend: asm.Backend, connection: psycopg.Connection, fields: dict[str, Any], error: type[asm.AsmError]
) -> None:
    store, run = backend.session_store, a_run("ses_m", status="completed")
    late = asm.Run.from_dict({**run.to_dict(), **fields})
    with ThreadPoolExecutor(1) as pool:
        with backend.transaction():
            first = store.save_run(run)
            saved = pool.submit(store.save_run, late)
            until_it_waits(connection, saved)
        with pytest.raises(error):
            saved.result(PATIENCE)
    assert store.get_run(run.id) == first
