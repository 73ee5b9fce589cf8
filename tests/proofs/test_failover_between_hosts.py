"""A URL names a primary and its standby: after a failover, the same backend object goes on."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url
from test_failover import PATIENCE, detach, promote, resumed, until

import asm_core as asm
from asm_contract_tests.making import a_session, numbers, some_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from own_server import OwnServer

WRITERS = 8
FEW = 5
BACKENDS = ("sqlmodel", "peewee", "pony")
RETRIES = asm.RetryPolicy(attempts=200, initial=0.05, maximum=0.5)


@pytest.fixture
def primary(own_server: OwnServer) -> str:
    """Return the URL of an empty database of the server that tests may stop."""
    own_server.start()
    return own_server.new_database()


@contextmanager
def waiting_for_standbys(own_server: OwnServer, primary: str) -> Iterator[None]:
    """Make commits on the primary wait for its standby."""
    with psycopg.connect(primary, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
        until(connection, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
    try:
        yield
    finally:
        own_server.start()
        with psycopg.connect(primary, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")


def both(standby: str, primary: str) -> str:
    """Return a URL that names the standby first, and accepts only a primary."""
    hosts = [str(make_url(url).query["host"]) for url in (standby, primary)]
    attributes = {"host": ",".join(hosts), "target_session_attrs": "read-write"}
    return make_url(primary).update_query_dict(attributes).render_as_string(hide_password=False)


class Writer:
    """Appends to a session of its own until it is stopped."""

    def __init__(self, store: asm.SessionStore) -> None:
        """Begin with an empty session."""
        self.session = store.save_session(a_session())
        self._store = store
        self._acknowledged: queue.Queue[asm.StoredEvent] = queue.Queue()

    def write(self, stopping: threading.Event) -> list[asm.StoredEvent]:
        """Append one by one, each until it is acknowledged, and return what the store returned."""
        returned = []
        while not stopping.is_set():
            [event] = some_events(self.session, 1)
            returned.append(RETRIES.run(lambda event=event: self._store.append_event(event)))  # type: ignore[misc]
            self._acknowledged.put(returned[-1])
        return returned

    def await_few(self) -> None:
        """Wait until some more events are acknowledged."""
        while not self._acknowledged.empty():
            self._acknowledged.get_nowait()
        for _ in range(FEW):
            self._acknowledged.get(timeout=PATIENCE)


def test_acknowledged_events_survive_the_failover(own_server: OwnServer, primary: str, backend_name: str) -> None:
    with own_server.standby() as there, waiting_for_standbys(own_server, primary):
        standby, stopping = there(primary), threading.Event()
        with (
            asm.open_backend(backend_name, url=both(standby, primary), migrate=True) as backend,
            ThreadPoolExecutor(WRITERS) as pool,
        ):
            store = backend.session_store
            writers = [Writer(store) for _ in range(WRITERS)]
            writing = [pool.submit(writer.write, stopping) for writer in writers]
            try:
                for writer in writers:
                    writer.await_few()
                follow = store.follow_events(writers[0].session.id)
                last = next(follow)
                own_server.stop("immediate")
                promote(standby)
                for writer in writers:
                    writer.await_few()
            finally:
                stopping.set()
            for writer, written in zip(writers, writing, strict=True):
                returned = written.result(PATIENCE)
                assert store.get_events(writer.session.id) == returned
                assert numbers(returned) == [*range(1, len(returned) + 1)]
            assert resumed(store, follow, last).sequence_number == last.sequence_number + 1


def test_events_that_an_asynchronous_standby_lacks_are_reported_as_lost(own_server: OwnServer, primary: str) -> None:
    with own_server.standby() as there, ExitStack() as stack:
        standby, stopping = there(primary), threading.Event()
        url = both(standby, primary)
        backends = [stack.enter_context(asm.open_backend(name, url=url, migrate=True)) for name in BACKENDS]
        stores = [backend.session_store for backend in backends]
        kept = [store.append_events(some_events(store.save_session(a_session()), FEW))[-1] for store in stores]
        going_on = [follower_after(store, last) for store, last in zip(stores, kept, strict=True)]
        writers = [Writer(store) for store in stores for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(len(writers)))
        writing = [pool.submit(writer.write, stopping) for writer in writers]
        try:
            for writer in writers:
                writer.await_few()
            detach(standby, primary)
            for writer in writers:
                writer.await_few()
            lost = [store.get_events(writer.session.id)[-1] for store, writer in zip(stores, writers[::2], strict=True)]
            setting_back = [follower_after(store, last) for store, last in zip(stores, lost, strict=True)]
            own_server.stop("immediate")
            promote(standby)
            for writer in writers:
                writer.await_few()
        finally:
            stopping.set()
        for written in writing:
            assert written.result(PATIENCE)  # it raised no error that is not retryable
        for store, follow, last in zip(stores, setting_back, lost, strict=True):
            with pytest.raises(asm.LogSetBackError):
                read_on(store, follow, last)
            with pytest.raises(asm.LogSetBackError):
                store.get_events(last.session_id, after=last)
        for store, follow, last in zip(stores, going_on, kept, strict=True):
            [event] = store.append_events(some_events(last.session_id, 1))
            assert resumed(store, follow, last) == event
            assert event.sequence_number == FEW + 1


def follower_after(store: asm.SessionStore, last: asm.StoredEvent) -> Iterator[asm.StoredEvent]:
    """Return a follower that has yielded the event `last`."""
    follow = store.follow_events(last.session_id, idle_timeout=PATIENCE)
    return next(follow for event in follow if event == last)


def read_on(store: asm.SessionStore, follow: Iterator[asm.Event], last: asm.Event) -> None:
    """Read what the follower had read already, and more, until it ends."""
    while True:
        try:
            for event in follow:
                last = event
        except asm.StorageConnectionError:
            follow = store.follow_events(last.session_id, after=last, idle_timeout=PATIENCE)
        else:
            return
