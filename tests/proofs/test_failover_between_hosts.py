"""A URL names a primary and its synchronous standby: after a failover, the same backend object goes on."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url
from test_failover import PATIENCE, promote, resumed, until

import asm_core as asm
from asm_contract_tests.making import a_session, numbers, some_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from own_server import OwnServer

WRITERS = 8
FEW = 5
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
