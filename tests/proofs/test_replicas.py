"""Reads of a streaming replica may lag, other calls never do, and the primary answers while the replica does not."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from calls import fill
from sqlalchemy import make_url
from test_failover import promote, until
from test_failover_between_hosts import both
from test_outages_everywhere import METHODS, call_of

import asm_core as asm
from asm_contract_tests.making import a_session, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun
from asm_core.sql import replica as replicas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from own_server import OwnServer, Standby

SHORT = 0.1
BACKENDS = ("sqlmodel", "peewee", "pony")


@pytest.fixture(scope="module")
def standby(own_server: OwnServer) -> Iterator[Standby]:
    """Return a replica of the module's server, which no test promotes."""
    with own_server.standby() as started:
        yield started


@pytest.fixture
def primary(own_server: OwnServer, standby: Standby) -> str:
    """Return the URL of an empty database, which the replica has, too."""
    standby.start()
    url = own_server.new_database()
    caught_up(url, standby(url))
    return url


@pytest.fixture
def opened(primary: str, standby: Standby, backend_name: str) -> Iterator[Callable[..., asm.Backend]]:
    """Return what opens the store with its replica."""
    with asm.open_backend(backend_name, url=primary, migrate=True):
        caught_up(primary, standby(primary))
    backends: list[asm.Backend] = []

    def open_backend(**options: object) -> asm.Backend:
        backends.append(asm.open_backend(backend_name, url=primary, read_url=standby(primary), **options))
        return backends[-1]

    yield open_backend
    for backend in backends:
        backend.close()


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try a replica that failed again with the next read."""
    monkeypatch.setattr(replicas, "PAUSE", 0.0)


def caught_up(primary: str, standby: str) -> None:
    """Wait until the replica has replayed what the primary has written."""
    with psycopg.connect(primary, autocommit=True) as there:
        position = there.execute("SELECT pg_current_wal_lsn()").fetchone() or ()
    # A database that was made a moment ago is not there yet.
    at = make_url(standby).set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(at, autocommit=True) as here:
        until(here, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", *position)


@contextmanager
def paused(standby: str) -> Iterator[None]:
    """Let the replica replay nothing."""
    with psycopg.connect(standby, autocommit=True) as here:
        here.execute("SELECT pg_wal_replay_pause()")
        until(here, "SELECT pg_get_wal_replay_pause_state() = 'paused'")
        try:
            yield
        finally:
            here.execute("SELECT pg_wal_replay_resume()")


def found(backend: asm.Backend | asm.Ports) -> list[str]:
    """Return the sessions that the query API finds."""
    return [session.id for session in backend.query_api.search_sessions().items]


def test_lag_is_visible_through_the_query_api_alone(
    opened: Callable[..., asm.Backend], primary: str, standby: Standby
) -> None:
    backend = opened()
    store = backend.session_store
    with paused(standby(primary)):
        session = store.save_session(a_session())
        run = store.save_run(asm.Run.new(session_id=session.id))
        events = store.append_events(some_events(session, 3))
        assert store.get_session(session.id) == session
        assert [one.id for one in store.list_sessions()] == [session.id]
        assert store.list_runs(session.id) == [run]
        assert store.get_events(session.id) == events
        assert store.get_latest_sequence(session.id) == 3
        with begun(lambda: store.get_events(session.id, after=3, wait_timeout=PATIENCE)) as waiting:
            last = store.append_event(some_events(session, 1)[0])
            assert waiting.result(PATIENCE) == [last]
        follow = store.follow_events(session.id, idle_timeout=PATIENCE)
        assert [next(follow) for _ in range(4)] == [*events, last]
        assert found(backend) == []
        with backend.transaction() as ports:
            assert found(ports) == found(backend) == [session.id]
    caught_up(primary, standby(primary))
    assert found(backend) == [session.id]
    assert backend.query_api.count_events(session_ids=session.id) == 4


@pytest.mark.parametrize("port", METHODS)
def test_only_the_query_api_reads_the_replica(
    opened: Callable[..., asm.Backend], monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(replicas.Replica, "_ask", asked.append)  # it returns None, so the primary answers
    monkeypatch.setattr(replicas, "LONGEST_LAG", 0.0)
    backend = opened()
    fill(backend)
    for method in METHODS[port]:
        asked.clear()
        call_of(backend, port, method)()
        assert bool(asked) == (port == "query_api"), method


def test_follower_of_the_replica_waits_for_its_replay(
    opened: Callable[..., asm.Backend], primary: str, standby: Standby
) -> None:
    backend = opened(follow_replica=True)
    store = backend.session_store
    session = store.save_session(a_session())
    events = store.append_events(some_events(session, 500))
    caught_up(primary, standby(primary))
    follow = store.follow_events(session.id)
    assert [next(follow) for _ in events] == events
    with paused(standby(primary)):
        more = store.append_events(some_events(session, 3))
        assert list(store.follow_events(session.id, after=500, idle_timeout=SHORT)) == more  # it begins at the primary
        with begun(lambda: next(follow)) as waiting:
            with pytest.raises(TimeoutError):
                waiting.result(SHORT)
            assert store.get_events(session.id, after=500, wait_timeout=PATIENCE) == more
            with psycopg.connect(standby(primary), autocommit=True) as here:
                here.execute("SELECT pg_wal_replay_resume()")
            assert waiting.result(PATIENCE) == more[0]
    assert [next(follow) for _ in range(2)] == more[1:]


@pytest.mark.usefixtures("no_pause")
def test_follower_asks_the_primary_before_it_reports_a_shorter_log(
    opened: Callable[..., asm.Backend], primary: str, standby: Standby
) -> None:
    store = opened(follow_replica=True).session_store
    session = store.save_session(a_session())
    store.append_events(some_events(session, 3))
    caught_up(primary, standby(primary))
    follow = store.follow_events(session.id)
    assert numbers([next(follow) for _ in range(3)]) == [1, 2, 3]
    with psycopg.connect(standby(primary), autocommit=True) as here:
        here.execute("ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
    standby.stop()
    store.append_events(some_events(session, 3))
    assert numbers([next(follow) for _ in range(3)]) == [4, 5, 6]  # the primary has them
    standby.start()  # it lags
    with begun(lambda: next(follow)) as waiting:
        with pytest.raises(TimeoutError):
            waiting.result(SHORT)
        store.append_events(some_events(session, 1))
        with psycopg.connect(standby(primary), autocommit=True) as here:
            here.execute("ALTER SYSTEM RESET recovery_min_apply_delay")
            here.execute("SELECT pg_reload_conf()")
        assert waiting.result(PATIENCE).sequence_number == 7


def test_follower_of_the_replica_reports_a_log_that_was_set_back(
    opened: Callable[..., asm.Backend], primary: str, standby: Standby
) -> None:
    store = opened(follow_replica=True).session_store
    session = store.save_session(a_session())
    store.append_events(some_events(session, 3))
    caught_up(primary, standby(primary))
    follow = store.follow_events(session.id)
    assert numbers([next(follow) for _ in range(3)]) == [1, 2, 3]
    store.delete_session(session.id)
    store.save_session(session)
    store.append_events(some_events(session, 5))
    with pytest.raises(asm.LogSetBackError):
        next(follow)


def test_primary_answers_while_the_replica_is_stopped(
    opened: Callable[..., asm.Backend],
    primary: str,
    standby: Standby,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = opened()
    assert found(backend) == []
    standby.stop()
    session = backend.session_store.save_session(a_session())
    with caplog.at_level(logging.INFO, "asm.replica"):
        assert [found(backend) for _ in range(3)] == [[session.id]] * 3
        assert [record.getMessage().partition(" code=")[0] for record in caplog.records] == ["replica not used"]
        monkeypatch.setattr(replicas, "PAUSE", 0.0)
        assert found(opened()) == [session.id]  # also if it is stopped when the store is opened
        standby.start()
        caught_up(primary, standby(primary))
        fresh = opened()
        with paused(standby(primary)):
            backend.session_store.save_session(a_session())
            assert found(fresh) == [session.id]


@pytest.mark.usefixtures("no_pause")
def test_second_host_of_the_replica_answers_while_the_first_is_stopped(
    own_server: OwnServer,
    opened: Callable[..., asm.Backend],
    primary: str,
    standby: Standby,
    backend_name: str,
) -> None:
    store = opened().session_store
    with own_server.standby() as other:
        caught_up(primary, other(primary))
        hosts = ",".join(str(make_url(server(primary)).query["host"]) for server in (other, standby))
        url = make_url(primary).update_query_dict({"host": hosts, "target_session_attrs": "standby"})
        read_url = url.render_as_string(hide_password=False)
        with asm.open_backend(backend_name, url=primary, read_url=read_url) as backend, paused(standby(primary)):
            session = store.save_session(a_session())
            caught_up(primary, other(primary))
            assert found(backend) == [session.id]
            other.stop()
            assert found(backend) == [session.id]  # the primary's answer
            assert found(backend) == []


@pytest.mark.usefixtures("no_pause")
def test_replica_is_used_again_after_its_restart(
    opened: Callable[..., asm.Backend], primary: str, standby: Standby
) -> None:
    backend = opened()
    standby.stop()
    session = backend.session_store.save_session(a_session())
    assert found(backend) == [session.id]
    standby.start()
    caught_up(primary, standby(primary))
    with paused(standby(primary)):
        backend.session_store.save_session(a_session())
        assert found(backend) == [session.id]


def test_health_check_reports_a_replica_that_lags_or_fails(
    opened: Callable[..., asm.Backend], primary: str, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "LONGEST_LAG", SHORT)
    backend = opened()
    caught_up(primary, standby(primary))
    assert backend.maintenance.health_check() == []
    with paused(standby(primary)):
        backend.session_store.save_session(a_session())
        [fault] = backend.maintenance.health_check()
        assert "bytes of WAL behind the primary" in fault
    standby.stop()
    [fault] = backend.maintenance.health_check()
    assert fault.startswith("The replica at read_url is not used: The database cannot be reached")


def test_asyncio_reads_from_the_replica(primary: str, standby: Standby, backend_name: str) -> None:
    async def read() -> None:
        options = {"read_url": standby(primary), "follow_replica": True}
        async with asm.aio.open_backend(backend_name, url=primary, migrate=True, **options) as backend:
            store = backend.session_store
            session = await store.save_session(a_session())
            events = await store.append_events(some_events(session, 3))
            follow = store.follow_events(session.id)
            assert [await anext(follow) for _ in events] == events
            last = await store.append_event(some_events(session, 1)[0])
            assert await asyncio.wait_for(anext(follow), PATIENCE) == last
            caught_up(primary, standby(primary))
            assert [one.id for one in (await backend.query_api.search_sessions()).items] == [session.id]

    asyncio.run(read())


@contextmanager
def all_opened(primary: str, **options: object) -> Iterator[list[asm.Backend]]:
    """Open the store with each backend: a standby is promoted once, for all of them."""
    with ExitStack() as stack:
        yield [stack.enter_context(asm.open_backend(name, url=primary, **options)) for name in BACKENDS]


@pytest.mark.usefixtures("no_pause")
def test_promoted_replica_is_not_read_beside_its_old_primary(own_server: OwnServer, primary: str) -> None:
    with own_server.standby() as split, asm.open_backend(BACKENDS[0], url=primary, migrate=True) as writer:
        caught_up(primary, split(primary))
        with all_opened(primary, read_url=split(primary)) as backends:
            assert [found(backend) for backend in backends] == [[]] * 3
            promote(split(primary))
            session = writer.session_store.save_session(a_session())
            for backend in backends:
                assert found(backend) == [session.id]
                [fault] = backend.maintenance.health_check()
                assert "is a primary, and not that at url: was it promoted?" in fault


def test_failover_to_the_replica(own_server: OwnServer, primary: str) -> None:
    with own_server.standby() as other:
        url = both(other(primary), primary)
        with asm.open_backend(BACKENDS[0], url=url, migrate=True) as writer:
            session = writer.session_store.save_session(a_session())
            caught_up(primary, other(primary))
            with all_opened(url, read_url=other(primary)) as backends:
                own_server.stop("immediate")
                try:
                    for backend in backends:
                        assert found(backend) == [session.id]  # without a primary
                        with pytest.raises(asm.StorageConnectionError):
                            backend.session_store.save_session(session)
                    promote(other(primary))
                    for count, backend in enumerate(backends, 1):
                        append_with_retries(backend.session_store, session)
                        assert backend.query_api.count_events(session_ids=session.id) == count
                finally:
                    own_server.start()


def append_with_retries(store: asm.SessionStore, session: asm.Session) -> None:
    """Append an event, as soon as there is a primary."""
    events = some_events(session, 1)
    asm.RetryPolicy(attempts=40, initial=0.05).run(lambda: store.append_events(events))


def test_wrong_replicas_are_refused(
    own_server: OwnServer, primary: str, backend_name: str, postgresql_url: str
) -> None:
    def opening(read_url: object, url: str = primary) -> None:
        asm.open_backend(backend_name, url=url, migrate=True, read_url=read_url).close()

    for wrong, message in (
        ("sqlite:///asm.db", r"read_url must be the postgresql:// url of a replica"),
        ("mysql://localhost/asm", r"takes a url of the form"),
        (5, r"The url must be a string, not 5"),
        (own_server.new_database(), r"read_url does not lead to a replica of the database at url"),
        (postgresql_url, r"read_url does not lead to a replica of the database at url"),
    ):
        with pytest.raises(asm.ValidationError, match=message):
            opening(wrong)
    with psycopg.connect(primary) as there:  # refused before the schema is migrated
        assert there.execute("SELECT to_regclass('asm_events')").fetchone() == (None,)
    with pytest.raises(asm.ValidationError, match="has no option 'read_url' for this database"):
        opening(primary, "sqlite://")
    with pytest.raises(asm.ValidationError, match="follow_replica needs a replica"):
        asm.open_backend(backend_name, url=primary, follow_replica=True)


def test_replica_may_lack_new_tables(opened: Callable[..., asm.Backend], primary: str, standby: Standby) -> None:
    backend = opened()
    with paused(standby(primary)):
        backend.session_store.save_session(a_session())
        backend.migrate(partitions=2)
        fresh = opened()
        assert found(fresh) == []
    caught_up(primary, standby(primary))
    assert len(found(fresh)) == 1


def test_replica_with_the_tables_of_another_schema_is_refused(own_server: OwnServer, backend_name: str) -> None:
    url = own_server.new_database()
    for schema in ("one", "other"):
        asm.open_backend(backend_name, url=url, migrate=True, schema=schema).close()
    one, other = (f"{url}&options=-csearch_path%3D{schema}" for schema in ("one", "other"))
    with pytest.raises(asm.ValidationError, match="read_url leads to the tables of another schema than url"):
        asm.open_backend(backend_name, url=one, read_url=other)
