"""The PostgreSQL server is restarted under a backend that is at work: errors that can be retried, and nothing lost."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from clients import Client
from own_server import MODES

import asm_core as asm
from asm_contract_tests.making import a_run, a_session, an_event, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from own_server import OwnServer


@pytest.fixture
def url(own_server: OwnServer) -> str:
    """Return the URL of an empty database on the server that may be stopped."""
    return own_server.new_database()


@pytest.fixture
def database() -> str:
    """Only PostgreSQL has a server."""
    return "postgresql"


@pytest.fixture(params=MODES)
def outage(request: pytest.FixtureRequest, own_server: OwnServer) -> Iterator[Callable[[], None]]:
    """Return what takes the server away; `own_server.start` brings it back."""
    yield lambda: own_server.stop(request.param)
    own_server.start()


def writers(store: asm.SessionStore, shared: asm.Session, other: asm.Session) -> list[Client]:
    def appends() -> Callable[[], Any]:
        event = an_event(shared)
        return lambda: [store.append_event(event)]

    def appends_batches() -> Callable[[], Any]:
        batch = [*some_events(shared, 3), *some_events(other, 2)]
        return lambda: store.append_events(batch)

    def flushes() -> Callable[[], Any]:
        result = asm.ExecutionResult(other, a_run(other), some_events(shared, 2) + some_events(other, 2))
        return lambda: store.flush(result)

    return [Client(work) for work in (appends, appends, appends_batches, flushes)]


def reader(backend: asm.Backend, session: asm.Session) -> Client:
    """Return who reads a log again and again; what was read before stands at the beginning of it."""
    seen: list[asm.Event] = []

    def read() -> None:
        log = backend.session_store.get_events(session.id)
        assert log[: len(seen)] == seen
        seen[:] = log
        assert backend.query_api.search_sessions(count=True).total_count == 2

    return Client(lambda: read)


@pytest.mark.parametrize("mode", MODES)
def test_a_backend_works_on_after_the_server_was_restarted(
    backend: asm.Backend,
    own_server: OwnServer,
    mode: str,
    soak: int,
) -> None:
    store = backend.session_store
    sessions = [store.save_session(a_session()) for _ in range(2)]
    writing = writers(store, *sessions)
    clients = [*writing, reader(backend, sessions[0])]
    for client in clients:
        client.start()
    try:
        for _ in range(2 * soak):
            own_server.stop(mode)
            for client in clients:
                client.wait_for_one_more(client.failures)
            own_server.start()
            for client in clients:
                client.wait_for_one_more(client.acknowledged)
    finally:
        own_server.start()
        for client in clients:
            client.end()
    acknowledged = sorted(event.id for client in writing for events in client.acknowledged for event in events)
    logs = [store.get_events(session.id) for session in sessions]
    assert sorted(event.id for log in logs for event in log) == acknowledged
    assert [numbers(log) for log in logs] == [list(range(1, len(log) + 1)) for log in logs]
    assert backend.maintenance.health_check() == []


def test_one_call_finds_out_and_the_next_one_is_answered(
    backend: asm.Backend,
    outage: Callable[[], None],
    own_server: OwnServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = backend.session_store
    session = store.save_session(a_session())
    together = threading.Barrier(5)

    def use_a_connection() -> None:
        with backend.transaction():
            store.get_session(session.id)
            together.wait(PATIENCE)

    threads = [threading.Thread(target=use_a_connection) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    outage()
    own_server.start()
    event = an_event(session)
    with pytest.raises(asm.StorageConnectionError):
        store.append_event(event)
    # The other connections of the pool are as old; none of them is given out any more.
    assert [store.append_event(event).sequence_number for _ in range(5)] == [1] * 5
    # Without a logger of the application's, such a record would stand on standard error.
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_follower_gets_an_error_and_resumes_after_a_restart(
    backend: asm.Backend,
    outage: Callable[[], None],
    own_server: OwnServer,
) -> None:
    store = backend.session_store
    session = store.save_session(a_session())
    first = store.append_event(an_event(session))
    follower = store.follow_events(session.id)
    assert next(follower) == first
    with begun(lambda: next(follower)) as waiting:
        outage()
        with pytest.raises(asm.StorageConnectionError) as raised:
            waiting.result(PATIENCE)
    assert raised.value.retryable
    own_server.start()
    again = store.follow_events(session.id, after=1)
    with begun(lambda: next(again)) as waiting:
        second = store.append_event(an_event(session))
        assert waiting.result(PATIENCE) == second


def test_a_waiter_gets_the_error(
    backend: asm.Backend,
    outage: Callable[[], None],
    own_server: OwnServer,
) -> None:
    store = backend.session_store
    session = store.save_session(a_session())
    with begun(lambda: store.get_events(session.id, wait_timeout=PATIENCE)) as waiting:
        outage()
        with pytest.raises(asm.StorageConnectionError):
            waiting.result(PATIENCE)
    own_server.start()
    event = store.append_event(an_event(session))
    assert store.get_events(session.id, wait_timeout=PATIENCE) == [event]


def test_a_transaction_over_a_restart_leaves_nothing(
    backend: asm.Backend,
    outage: Callable[[], None],
    own_server: OwnServer,
) -> None:
    store = backend.session_store
    session = a_session()

    def work(interruption: Callable[[], None]) -> asm.Event:
        with backend.transaction():
            store.save_session(session)
            store.append_event(an_event(session))
            interruption()
            return store.append_event(an_event(session))

    def restart() -> None:
        outage()
        own_server.start()

    with pytest.raises(asm.StorageConnectionError):
        work(restart)
    with pytest.raises(asm.SessionNotFoundError):
        store.get_session(session.id)
    assert work(lambda: None).sequence_number == 2


def test_a_backend_is_not_opened_while_there_is_no_server(
    backend_name: str,
    url: str,
    outage: Callable[[], None],
    own_server: OwnServer,
) -> None:
    outage()
    with pytest.raises(asm.StorageConnectionError) as raised:
        asm.open_backend(backend_name, url=url, migrate=True)
    assert raised.value.retryable
    own_server.start()
    with asm.open_backend(backend_name, url=url, migrate=True) as opened:
        assert opened.maintenance.health_check() == []
