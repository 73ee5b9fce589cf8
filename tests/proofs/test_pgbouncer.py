"""PgBouncer in transaction mode: everything works with `prepare_threshold=0`, which errors advise without it."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
import pytest
from pgbouncer import SERVER_CONNECTIONS, pgbouncer, pgbouncer_version  # noqa: F401  fixtures

import asm_core as asm
from asm_contract_tests.making import a_session, an_event, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, in_threads

OFTEN = 10 * SERVER_CONNECTIONS
UNPREPARED = {"migrate": True, "prepare_threshold": 0}


def test_every_port_works_through_pgbouncer(backend_name: str, pgbouncer: str) -> None:  # noqa: F811
    with asm.open_backend(backend_name, url=pgbouncer, **UNPREPARED) as backend:
        store = backend.session_store
        session = store.save_session(a_session())

        def work() -> None:
            for _ in range(10):
                store.append_event(an_event(session))
                store.append_events(some_events(session, 3))
                with backend.transaction() as ports:
                    ports.session_store.append_event(an_event(session))

        in_threads(*[work] * 6)
        assert numbers(store.get_events(session.id)) == [*range(1, 301)]
        assert backend.query_api.count_events() == 300
        assert backend.maintenance.health_check() == []
        newest = backend.schema_version()
        assert backend.migrate(0) == [*range(newest, 0, -1)]


def test_prepared_statements_fail_with_advice(backend_name: str, pgbouncer: str) -> None:  # noqa: F811
    with asm.open_backend(backend_name, url=pgbouncer, migrate=True) as backend:  # the default: at the sixth use
        store = backend.session_store
        session = store.save_session(a_session())
        open_server_connections(pgbouncer)
        with pytest.raises(asm.StorageError, match="with a transaction pooler, set prepare_threshold=0") as raised:
            append_often(store, session)
        assert not raised.value.retryable
    with asm.open_backend(backend_name, url=pgbouncer, **UNPREPARED) as backend:
        store = backend.session_store
        before = store.get_latest_sequence(session.id)
        append_often(store, session)
        assert numbers(store.get_events(session.id)) == [*range(1, before + OFTEN + 1)]


def open_server_connections(url: str) -> None:
    """Make PgBouncer open all its connections: it opens one more only if all others are in a transaction."""
    with ExitStack() as stack:
        for _ in range(SERVER_CONNECTIONS):
            stack.enter_context(psycopg.connect(url, prepare_threshold=None)).execute("SELECT 1")


def test_options_of_the_url_are_refused_by_pgbouncer(pgbouncer: str) -> None:  # noqa: F811
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
        psycopg.connect(pgbouncer, options="-csearch_path=agents")


def append_often(store: asm.SessionStore, session: asm.Session) -> None:
    """Append one by one, on each connection of the server more often than a statement stays unprepared."""
    for _ in range(OFTEN):
        store.append_event(an_event(session))


def test_waiters_through_pgbouncer_find_events_by_polling(backend_name: str, pgbouncer: str) -> None:  # noqa: F811
    with asm.open_backend(backend_name, url=pgbouncer, notify=True, **UNPREPARED) as backend:
        session = backend.session_store.save_session(a_session())
        follow = backend.session_store.follow_events(session.id)
        with asm.open_backend(backend_name, url=pgbouncer, notify=True, **UNPREPARED) as other:
            for _ in range(3):
                with begun(lambda: next(follow)) as waiting:
                    event = other.session_store.append_event(an_event(session))
                    assert waiting.result(PATIENCE) == event


def test_notifications_of_writers_pass_pgbouncer(backend_name: str, pgbouncer: str, postgresql_url: str) -> None:  # noqa: F811
    with (
        asm.open_backend(backend_name, url=pgbouncer, notify=True, **UNPREPARED) as backend,
        psycopg.connect(postgresql_url, autocommit=True) as direct,
    ):
        direct.execute("LISTEN asm_appended")
        session = backend.session_store.save_session(a_session())
        backend.session_store.append_event(an_event(session))
        [heard] = direct.notifies(timeout=PATIENCE, stop_after=1)
        assert heard.payload == session.id
