"""Transactions over all ports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, days_ago, numbers, some_events
from asm_contract_tests.together import PATIENCE
from asm_core import (
    AlreadyExistsError,
    Backend,
    ExecutionResult,
    Ports,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

A_MOMENT = 0.5
"""Seconds for another thread to do what must not be possible; a backend that blocks the thread uses all of them."""


class Abandoned(Exception):  # noqa: N818  nothing is wrong
    """Raised to roll back a transaction."""


@contextmanager
def undone(transaction: AbstractContextManager[Any]) -> Iterator[Any]:
    """Write in a transaction, and roll it back by an exception, which must propagate."""
    with pytest.raises(Abandoned), transaction as connection:  # noqa: PT012  the body is the caller's
        yield connection
        raise Abandoned


def do_everything(backend: Ports, session: Session) -> None:
    """Write through every port."""
    store = backend.session_store
    store.save_session(session.with_metadata({"changed": True}))
    new = store.save_session(a_session(id="ses_new"))
    store.save_run(a_run(session, id="run_new"))
    store.append_event(an_event(session))
    store.append_events([an_event(new), an_event(session)])
    store.flush(ExecutionResult(a_session(id="ses_flushed"), events=[an_event("ses_flushed")]))
    store.restore_session(a_session(id="ses_copied"), events=[an_event("ses_copied").numbered(5)])
    store.delete_session("ses_doomed")
    backend.artifact_registry.register(an_artifact(key="new"))
    backend.artifact_registry.delete("old")
    backend.maintenance.execute(RetentionPolicy(max_events_per_session=1))


def seen(backend: Ports) -> tuple[object, ...]:
    """Return the stored data, as every port returns it."""
    query = backend.query_api
    return (
        query.search_sessions(include_deleted=True, order_by="created_at_asc").items,
        query.search_runs(order_by="started_at_asc").items,
        query.search_events().items,
        [backend.artifact_registry.get_by_key(key) for key in ("new", "old")],
        [backend.session_store.get_latest_sequence(session.id) for session in query.search_sessions()],
    )


class UnitOfWorkContract(Contract):
    """The initial data of tests of transactions."""

    @pytest.fixture
    def stored(self, backend: Backend) -> Session:
        """Return a stored session with an event; the store also has another session, an old one and an artifact."""
        session = backend.session_store.save_session(a_session(created_at=days_ago(1)))
        backend.session_store.append_event(an_event(session))
        backend.session_store.save_session(a_session(id="ses_doomed"))
        backend.session_store.save_session(a_session(id="ses_old", status="failed", created_at=days_ago(100)))
        backend.artifact_registry.register(an_artifact(key="old"))
        return session


class OwnTransactionsContract(UnitOfWorkContract):
    """All calls inside `transaction()` form one transaction."""

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_transaction_commits_what_every_port_did(
        self, backend: Backend, other_backend: Backend, stored: Session
    ) -> None:
        """Check the end of `transaction()`: without an exception it commits."""
        with backend.transaction():
            do_everything(backend, stored)
            inside = seen(backend)
        assert seen(backend) == inside
        assert seen(other_backend) == inside

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_transaction_undoes_what_every_port_did(
        self, backend: Backend, other_backend: Backend, stored: Session
    ) -> None:
        """Look for a port that opens a transaction of its own, or commits, inside `transaction()`."""
        before = seen(backend)
        with undone(backend.transaction()):
            do_everything(backend, stored)
        assert seen(backend) == before
        assert seen(other_backend) == before

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G1")
    def test_a_transaction_that_is_undone_gives_its_numbers_back(self, backend: Backend, stored: Session) -> None:
        """Check the counter: it must roll back with the events, or the log has a gap."""
        store = backend.session_store
        with undone(backend.transaction()):
            store.append_events(some_events(stored, 3))
        assert store.append_event(an_event(stored)).sequence_number == 2

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G6")
    def test_reads_in_a_transaction_see_its_own_writes(self, backend: Backend, stored: Session) -> None:
        """Look for reads on another connection than the transaction."""
        with backend.transaction():
            event = backend.session_store.append_event(an_event(stored))
            assert backend.session_store.get_events(stored.id, after=1) == [event]
            assert backend.session_store.get_latest_sequence(stored.id) == 2
            assert backend.query_api.count_events() == 2
            backend.artifact_registry.register(an_artifact(key="new", session_id=stored.id))
            assert backend.artifact_registry.session_stats(stored.id).artifact_count == 1
            assert backend.maintenance.health_check() == []

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_an_inner_transaction_is_undone_alone(self, backend: Backend, stored: Session) -> None:
        """Check nesting: a savepoint, so that the outer transaction stays usable."""
        store = backend.session_store
        with backend.transaction():
            store.append_event(an_event(stored, data={"kept": 1}))
            with undone(backend.transaction()):
                store.append_events(some_events(stored, 3))
                store.delete_session("ses_doomed")
            store.append_event(an_event(stored, data={"kept": 2}))
        assert [event.data for event in store.get_events(stored.id, after=1)] == [{"kept": 1}, {"kept": 2}]
        assert numbers(store.get_events(stored.id)) == [1, 2, 3]
        assert store.get_session("ses_doomed").id == "ses_doomed"

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_an_inner_transaction_is_undone_with_the_outer_one(self, backend: Backend, stored: Session) -> None:
        """Check nesting: the end of an inner one commits nothing yet."""
        before = seen(backend)
        with undone(backend.transaction()), backend.transaction(), backend.transaction():
            do_everything(backend, stored)
        assert seen(backend) == before

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_an_inner_transaction_is_committed_with_the_outer_one(
        self, backend: Backend, other_backend: Backend, stored: Session
    ) -> None:
        """Check nesting: writes of an inner transaction are kept when all have committed."""
        with backend.transaction(), backend.transaction():
            event = backend.session_store.append_event(an_event(stored))
        assert other_backend.session_store.get_events(stored.id, after=1) == [event]

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_call_that_fails_is_undone_alone(self, backend: Backend, stored: Session) -> None:
        """Check a failed call in an open transaction: it leaves no partial write, and the transaction stays usable."""
        store = backend.session_store
        with backend.transaction():
            first = store.append_event(an_event(stored))
            with pytest.raises(SessionNotFoundError):
                store.append_events([*some_events(stored, 2), an_event("ses_unknown")])
            with pytest.raises(AlreadyExistsError):
                store.flush(
                    ExecutionResult(a_session(id="ses_new"), events=[an_event(stored, id=first.id, data={"x": 1})])
                )
            with pytest.raises(SessionNotFoundError):
                store.save_run(a_run("ses_unknown"))
            second = store.append_event(an_event(stored))
        assert store.get_events(stored.id, after=1) == [first, second]
        assert numbers([first, second]) == [2, 3]
        with pytest.raises(SessionNotFoundError):
            store.get_session("ses_new")

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    @pytest.mark.parametrize("handle", ["the same handle", "another handle"])
    def test_uncommitted_writes_are_invisible(
        self, backend: Backend, other_backend: Backend, stored: Session, handle: str
    ) -> None:
        """Look for dirty reads: another thread must see the state before, or wait for the end."""
        reader = backend if handle == "the same handle" else other_backend
        with ThreadPoolExecutor(1) as pool:
            with undone(backend.transaction()):
                backend.session_store.save_session(stored.with_tags(["undone"]))
                backend.session_store.save_session(a_session(agent_id="undone"))
                looking = pool.submit(seen, reader)
                wait([looking], A_MOMENT)
            assert looking.result(PATIENCE) == seen(backend)

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_what_another_thread_does_is_none_of_the_transaction(self, backend: Backend, stored: Session) -> None:
        """Look for a transaction that threads share: it belongs to the thread that began it."""
        store = backend.session_store
        other = store.save_session(a_session())
        with ThreadPoolExecutor(1) as pool:
            with undone(backend.transaction()):
                store.append_event(an_event(stored))
                writing = pool.submit(store.append_event, an_event(other))
                wait([writing], A_MOMENT)
            event = writing.result(PATIENCE)
        assert store.get_events(other.id) == [event]
        assert store.get_latest_sequence(stored.id) == 1

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_transaction_after_one_that_failed_is_sound(self, backend: Backend, stored: Session) -> None:
        """Look for state that remains in the thread or its connection after a rollback."""
        for _ in range(3):
            with undone(backend.transaction()):
                pass
            with backend.transaction():
                backend.session_store.append_event(an_event(stored))
        assert numbers(backend.session_store.get_events(stored.id)) == [1, 2, 3, 4]

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_an_empty_transaction_is_a_no_op(self, backend: Backend, stored: Session) -> None:
        """Check `transaction()` without anything inside."""
        with backend.transaction():
            pass
        assert backend.session_store.get_session(stored.id) == stored
