"""An administrator ends connections and statements of PostgreSQL: errors that can be retried, and nothing half done."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from calls import CALLS, EVENT, state

import asm_core as asm
from asm_contract_tests.making import a_session, an_event, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from administrator import Administrator


@pytest.fixture
def database() -> str:
    """SQLite has no connections that an administrator could end."""
    return "postgresql"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_whose_connection_is_ended_while_it_waits_has_done_nothing(
    stored: asm.Backend, administrator: Administrator, name: str
) -> None:
    before = state(stored)
    with administrator.lock(), begun(lambda: CALLS[name](stored)) as waiting:
        administrator.wait_for_a_waiter()
        administrator.terminate()
        with pytest.raises(asm.StorageConnectionError) as raised:
            waiting.result(PATIENCE)
    assert raised.value.retryable
    assert state(stored) == before
    CALLS[name](stored)
    assert stored.maintenance.health_check() == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("statement_timeout", "The database aborted the operation: .* due to statement timeout; retry"),
        ("lock_timeout", "The database is contended: .* due to lock timeout; retry"),
    ],
)
def test_a_time_limit_of_the_administrator_s_is_a_retryable_error(
    stored: asm.Backend, administrator: Administrator, setting: str, message: str
) -> None:
    administrator.configure(**{setting: "20ms"})
    administrator.renew(stored)
    with administrator.lock(), pytest.raises(asm.StorageConnectionError, match=message):
        stored.session_store.append_event(EVENT)
    assert stored.session_store.append_event(EVENT).sequence_number == 6


def test_a_statement_that_is_cancelled_is_a_retryable_error(stored: asm.Backend, administrator: Administrator) -> None:
    with administrator.lock(), begun(lambda: CALLS["append_events"](stored)) as waiting:
        administrator.wait_for_a_waiter()
        administrator.cancel()
        with pytest.raises(asm.StorageConnectionError, match=r"aborted the operation: .* user request; retry"):
            waiting.result(PATIENCE)
    assert numbers(CALLS["append_events"](stored)) == [6, 7, 1, 2]


def test_the_loser_of_a_deadlock_with_the_application_can_retry(
    stored: asm.Backend, administrator: Administrator
) -> None:
    administrator.configure(deadlock_timeout="10ms")
    administrator.renew(stored)
    store = stored.session_store
    store.append_event(an_event("old"))
    count = "UPDATE asm_session_sequences SET updated_at = now() WHERE session_id = %s"

    both = threading.Barrier(2)

    def contend() -> None:
        with administrator.connection.transaction():
            administrator.connection.execute("SET LOCAL deadlock_timeout = '1min'")
            administrator.connection.execute(count, ("old",))
            both.wait(PATIENCE)
            administrator.connection.execute(count, ("s",))

    def lose() -> None:
        with stored.transaction():
            store.append_event(EVENT)
            both.wait(PATIENCE)
            store.append_event(an_event("old"))

    def work() -> None:
        with pytest.raises(asm.StorageConnectionError, match="contended: deadlock detected; retry"):
            lose()

    in_threads(work, contend)
    assert store.append_event(EVENT).sequence_number == 6


def half_done(backend: asm.Backend, interruption: Callable[[], Any]) -> None:
    """Do several things in one transaction, and the interruption in the middle."""
    with backend.transaction():
        backend.session_store.save_session(a_session(id="new"))
        backend.session_store.append_event(EVENT)
        interruption()
        backend.session_store.append_events(some_events("new", 2))


def test_a_transaction_whose_connection_is_ended_leaves_nothing(
    stored: asm.Backend, administrator: Administrator
) -> None:
    before = state(stored)
    with pytest.raises(asm.StorageConnectionError) as raised:
        half_done(stored, administrator.terminate)
    assert raised.value.retryable
    assert state(stored) == before
    half_done(stored, lambda: None)
    assert stored.session_store.get_latest_sequence("new") == 2
    assert stored.maintenance.health_check() == []


def test_a_transaction_that_was_idle_for_too_long_is_a_retryable_error(
    stored: asm.Backend, administrator: Administrator
) -> None:
    administrator.configure(idle_in_transaction_session_timeout="1ms")
    administrator.renew(stored)
    with pytest.raises(asm.StorageConnectionError):
        half_done(stored, administrator.wait_until_alone)
    with pytest.raises(asm.SessionNotFoundError):
        stored.session_store.get_session("new")


def test_a_connection_that_is_ended_before_the_commit_commits_nothing(
    stored: asm.Backend, administrator: Administrator
) -> None:
    def work() -> None:
        with stored.transaction():
            stored.session_store.append_event(EVENT)
            administrator.terminate()

    with pytest.raises(asm.StorageConnectionError):
        work()
    assert stored.session_store.get_latest_sequence("s") == 5


@pytest.mark.parametrize("name", ["append_event", "get_session"])
def test_a_transaction_that_goes_on_after_its_connection_was_ended_is_not_taken_for_committed(
    stored: asm.Backend, administrator: Administrator, name: str
) -> None:
    def work() -> None:
        with stored.transaction():
            stored.session_store.append_event(EVENT)
            administrator.terminate()
            with pytest.raises(asm.StorageConnectionError):
                CALLS[name](stored)
            with pytest.raises(asm.StorageError, match="Leave it and begin a new one"):
                CALLS[name](stored)

    with pytest.raises(asm.StorageError):
        work()
    assert stored.session_store.get_latest_sequence("s") == 5
    assert stored.session_store.append_event(EVENT).sequence_number == 6


def test_a_backend_that_is_closed_while_it_is_used_leaves_no_connection_open(
    open_backend: Callable[..., asm.Backend], administrator: Administrator
) -> None:
    backend = open_backend()
    with backend.transaction():
        backend.session_store.save_session(a_session())
        backend.close()
    administrator.wait_until_alone()
    with pytest.raises(asm.StorageError, match="closed"):
        backend.session_store.list_sessions()


def test_a_part_of_a_transaction_that_is_ended_undoes_the_whole(
    stored: asm.Backend, administrator: Administrator
) -> None:
    def work() -> None:
        with stored.transaction():
            stored.session_store.append_event(EVENT)
            half_done(stored, administrator.terminate)

    with pytest.raises(asm.StorageConnectionError):
        work()
    assert stored.session_store.get_latest_sequence("s") == 5
