"""An asynchronous standby that lagged is promoted behind the same address: what followers had read is not mixed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from cutting_proxy import CuttingProxy

import asm_core as asm
from asm_contract_tests.making import a_session, numbers, some_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from own_server import OwnServer

PATIENCE = 60.0
FILTERS: tuple[dict[str, str], ...] = ({}, {"type": "run_failed"})


@pytest.fixture
def primary(own_server: OwnServer) -> str:
    """Return the URL of an empty database of the server that tests may stop."""
    own_server.start()
    return own_server.new_database()


@pytest.fixture
def address(primary: str) -> Iterator[CuttingProxy]:
    """Return the address of that database, behind which the other server comes to stand."""
    made = CuttingProxy(primary, reaches_server=True)
    yield made
    made.close()


def until(connection: psycopg.Connection, question: str, *parameters: object) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute(question, parameters).fetchone() != (True,):  # type: ignore[arg-type]
        assert time.monotonic() < deadline, question


def detach(standby_url: str, primary_url: str) -> None:
    """Let a standby receive nothing more, once it has what the primary has now."""
    with psycopg.connect(primary_url) as primary, psycopg.connect(standby_url, autocommit=True) as standby:
        position = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
        until(standby, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", *(position or ()))
        standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
        standby.execute("SELECT pg_reload_conf()")
        until(standby, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")


def resumed(store: asm.SessionStore, follow: Iterator[asm.Event], last: asm.Event) -> asm.Event:
    """Return the next event; after a lost connection, go on from the last event, as a program would."""
    for _ in range(20):
        try:
            return next(follow)
        except asm.StorageConnectionError:
            follow = store.follow_events(last.session_id, after=last)
    pytest.fail("the new primary was not found")


def test_followers_find_that_a_failover_lost_events(
    own_server: OwnServer, primary: str, address: CuttingProxy, backend_name: str
) -> None:
    with own_server.standby() as there, asm.open_backend(backend_name, url=address.url, migrate=True) as backend:
        store, standby = backend.session_store, there(primary)
        sessions = {regrown: store.save_session(a_session()) for regrown in (1, 5, 7)}
        for session in sessions.values():
            store.append_events(some_events(session, 10))
        detach(standby, primary)
        for session in sessions.values():
            store.append_events(some_events(session, 5, type="run_failed"))
        followed = [read_to_15(store, session, **filters) for session in sessions.values() for filters in FILTERS]

        own_server.stop("immediate")
        promote(standby)
        address.move(standby)
        with asm.open_backend(backend_name, url=address.url) as writer:
            for regrown, session in sessions.items():
                writer.session_store.append_events(some_events(session, regrown, type="run_failed"))

        for follow, last in followed:
            with pytest.raises(asm.LogSetBackError) as caught:
                resumed(store, follow, last)
            assert caught.value.details["last_seen"] == 15
            with pytest.raises(asm.LogSetBackError):
                store.get_events(last.session_id, after=last)
        for regrown, session in sessions.items():
            assert numbers(store.get_events(session.id, after=10)) == [*range(11, 11 + regrown)]


def read_to_15(store: asm.SessionStore, session: asm.Session, **filters: str) -> tuple[Iterator[asm.Event], asm.Event]:
    """Return a follower that has given out the event 15, and that event."""
    follow = store.follow_events(session.id, **filters)
    return follow, next(event for event in follow if event.sequence_number == 15)


def promote(standby_url: str) -> None:
    """Make the standby a primary."""
    with psycopg.connect(standby_url, autocommit=True) as standby:
        assert standby.execute("SELECT pg_promote()").fetchone() == (True,)
