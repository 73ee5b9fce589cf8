"""Behind a pooler that gives out connections by transaction, everything works once statements are not prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from calls import CALLS, fill, state

import asm_core as asm
from asm_contract_tests.making import a_session, an_event, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from administrator import Administrator
    from transaction_pooler import TransactionPooler

UNPREPARED = {"prepare_threshold": 0}
"""The option for poolers."""


@pytest.fixture
def database() -> str:
    """SQLite has no poolers."""
    return "postgresql"


@pytest.fixture(params=[None, "Asia/Kathmandu"])
def zone(request: pytest.FixtureRequest, administrator: Administrator) -> None:
    """Have the server tell times in this zone; it tells them as it likes to otherwise."""
    if request.param is not None:
        administrator.configure(TimeZone=request.param)


@pytest.fixture
def pooled(zone: None, backend_name: str, pooler: TransactionPooler) -> Iterator[asm.Backend]:  # noqa: ARG001
    """Return the store as opened through the pooler."""
    with asm.open_backend(backend_name, url=pooler.url, migrate=True, **UNPREPARED) as opened:
        yield opened


def test_every_call_through_a_pooler_is_visible_without_it(
    pooled: asm.Backend,
    open_backend: Callable[..., asm.Backend],
    pooler: TransactionPooler,
) -> None:
    with open_backend() as direct:
        for call in CALLS.values():
            fill(pooled)
            call(pooled)
            assert state(direct) == state(pooled)
    assert pooled.maintenance.health_check() == []
    assert pooler.transactions > 100


def test_what_was_built_is_what_is_read(pooled: asm.Backend) -> None:
    session = pooled.session_store.save_session(a_session())
    event = pooled.session_store.append_event(an_event(session, data={"b": 1, "a": [1.5, 2**63 - 1, "\0"]}))
    found = [pooled.session_store.get_session(session.id), pooled.session_store.get_events(session.id)]
    assert repr(found) == repr([session, [event]])


def test_threads_append_without_a_gap(pooled: asm.Backend) -> None:
    store = pooled.session_store
    sessions = [store.save_session(a_session()) for _ in range(2)]

    def work() -> None:
        for _ in range(10):
            store.append_event(an_event(sessions[0]))
            store.append_events([*some_events(sessions[1], 3), *some_events(sessions[0], 2)])
            store.flush(asm.ExecutionResult(sessions[0], None, some_events(sessions[1], 2)))

    in_threads(*[work] * 6)
    assert numbers(store.get_events(sessions[0].id)) == list(range(1, 181))
    assert numbers(store.get_events(sessions[1].id)) == list(range(1, 301))


def test_transactions_are_whole(pooled: asm.Backend) -> None:
    store = pooled.session_store

    def undone_in_part(session: asm.Session) -> None:
        with pooled.transaction():
            store.append_event(an_event(session))
            store.append_event(an_event("nobody"))

    def work(session: asm.Session, error: Exception | None) -> None:
        with pooled.transaction():
            store.save_session(session)
            store.append_events(some_events(session, 2))
            with pytest.raises(asm.SessionNotFoundError):
                undone_in_part(session)
            if error is not None:
                raise error

    kept, undone = a_session(), a_session()
    work(kept, None)
    with pytest.raises(RuntimeError):
        work(undone, RuntimeError())
    assert [session.id for session in store.list_sessions()] == [kept.id]
    assert numbers(store.get_events(kept.id)) == [1, 2]


def test_an_event_is_waited_for(pooled: asm.Backend) -> None:
    session = pooled.session_store.save_session(a_session())
    follower = pooled.session_store.follow_events(session.id)
    with begun(lambda: [next(follower) for _ in range(3)]) as waiting:
        events = [pooled.session_store.append_event(an_event(session)) for _ in range(3)]
        assert waiting.result(PATIENCE) == events


def test_the_schema_goes_down_and_up_again(pooled: asm.Backend) -> None:
    newest = pooled.schema_version()
    assert pooled.migrate(0) == list(range(newest, 0, -1))
    assert pooled.migrate() == list(range(1, newest + 1))


def use_often(store: asm.SessionStore) -> None:
    session = store.save_session(a_session())
    for _ in range(9):
        store.append_event(an_event(session))


def test_prepared_statements_with_a_pooler_raise_with_advice(backend_name: str, pooler: TransactionPooler) -> None:
    options = {"migrate": True, "prepare_threshold": 1}
    with asm.open_backend(backend_name, url=pooler.url, **options) as backend:
        store = backend.session_store
        with pytest.raises(asm.StorageError, match=r"with a transaction pooler, set prepare_threshold=0") as raised:
            use_often(store)
        assert not raised.value.retryable


def test_the_pooler_is_one(pooler: TransactionPooler) -> None:
    with psycopg.connect(pooler.url, autocommit=True, prepare_threshold=1) as connection:
        processes = {connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone() for _ in range(9)}
        connection.execute("SET search_path TO nowhere", prepare=False)
        paths = [connection.execute("SHOW search_path", prepare=False).fetchone() for _ in range(6)]
        assert (len(processes), paths.count(("nowhere",))) == (3, 2)
        connection.execute("SELECT 1")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):  # it was prepared on another connection
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
        psycopg.connect(pooler.url, options="-c TimeZone=UTC")
