"""Many processes on one store, some of which are killed."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract, OpenBackend
from asm_contract_tests.making import a_run, a_session, an_event, deleted, ids, numbers, some_events
from asm_contract_tests.rules.backend.threads import only_grows, watch
from asm_contract_tests.together import children, in_processes, need_fork
from asm_core import Backend, Event, ExecutionResult, RetentionPolicy, Session

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSES = 4
ROUNDS = 15


def append_one_by_one(backend: Backend, *, session: Session) -> list[str]:
    """Append events, each in a call of its own; return their ids."""
    return ids(backend.session_store.append_event(an_event(session)) for _ in range(ROUNDS))


def append_given(backend: Backend, *, events: list[Event]) -> list[int | None]:
    """Append these events one by one; return their numbers."""
    return numbers([backend.session_store.append_event(event) for event in events])


def append_batches(backend: Backend, *, order: list[str]) -> None:
    """Append batches that span these sessions."""
    for _ in range(ROUNDS):
        backend.session_store.append_events(an_event(name) for name in order)


def watch_log(backend: Backend, *, session: Session, count: int) -> list[list[int | None]]:
    """Read a log until it has so many events."""
    return watch(backend.session_store, session, count)


def follow_log(backend: Backend, *, session: Session, count: int) -> list[int | None]:
    """Follow a log until so many events came."""
    return numbers(list(islice(backend.session_store.follow_events(session.id), count)))


def flush_forever(backend: Backend, say: Callable[[Any], None], *, session: Session) -> None:
    """Flush a run and a batch of three events, again and again, and say what is acknowledged."""
    while True:
        run = a_run(session)
        stored = backend.session_store.flush(ExecutionResult(session, run, some_events(session, 3, run_id=run.id)))
        say((run.id, ids(stored)))


def maintain_forever(backend: Backend, say: Callable[[Any], None]) -> None:
    """Store and remove sessions, again and again."""
    while True:
        session = deleted(a_session(), days=99)
        backend.session_store.flush(ExecutionResult(session, events=some_events(session, 3)))
        policy = RetentionPolicy(max_events_per_session=1, batch_size=1)
        backend.maintenance.execute(policy)
        say(session.id)


class ProcessesContract(Contract):
    """Guarantees hold however many processes are at work, and whenever one is killed.

    Each process opens a handle of its own after the fork; the parent has none open meanwhile.
    """

    @pytest.fixture
    def stored_session(self, open_backend: OpenBackend) -> Session:
        """Return a session that is stored; its store is closed again."""
        need_fork()
        with open_backend() as backend:
            return backend.session_store.save_session(a_session())

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G1")
    def test_processes_that_append_to_one_session_leave_no_gap(
        self, open_backend: OpenBackend, stored_session: Session
    ) -> None:
        """Look at how `_append` takes numbers: a lock of one process is none for another."""
        work = partial(append_one_by_one, session=stored_session)
        written = in_processes(open_backend, *[work] * PROCESSES)
        with open_backend() as backend:
            stored = backend.session_store.get_events(stored_session.id)
        assert numbers(stored) == list(range(1, PROCESSES * ROUNDS + 1))
        assert sorted(ids(stored)) == sorted(name for mine in written for name in mine)

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G2")
    def test_a_process_that_reads_never_sees_a_gap(self, open_backend: OpenBackend, stored_session: Session) -> None:
        """Look for numbers that become visible in another order than they were given out."""
        reader = partial(watch_log, session=stored_session, count=2 * ROUNDS)
        writer = partial(append_one_by_one, session=stored_session)
        reads, *_ = in_processes(open_backend, reader, writer, writer)
        assert only_grows(reads)

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G3")
    def test_one_event_from_many_processes_is_stored_once(
        self, open_backend: OpenBackend, stored_session: Session
    ) -> None:
        """Look at two appends of one id that both find it missing."""
        events = some_events(stored_session, 10)
        answers = in_processes(open_backend, *[partial(append_given, events=events)] * PROCESSES)
        assert answers == [answers[0]] * PROCESSES
        with open_backend() as backend:
            assert numbers(backend.session_store.get_events(stored_session.id)) == list(range(1, 11))

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G4")
    def test_batches_of_processes_do_not_lock_each_other_out(self, open_backend: OpenBackend) -> None:
        """Look at the order in which `_append` locks counters: by session id, whatever the order of the batch."""
        need_fork()
        names = [f"ses_{place}" for place in range(4)]
        with open_backend() as backend:
            for name in names:
                backend.session_store.save_session(a_session(id=name))
        works = [partial(append_batches, order=order) for order in (names, names[::-1], names[2:] + names[:2])]
        in_processes(open_backend, *works)
        with open_backend() as backend:
            assert [backend.session_store.get_latest_sequence(name) for name in names] == [3 * ROUNDS] * 4

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G13")
    def test_processes_may_open_a_fresh_store_at_once(self, open_backend: OpenBackend) -> None:
        """Look at what opening does to a store that does not exist yet: every process must succeed."""
        opened = in_processes(open_backend, *[lambda backend: len(backend.session_store.list_sessions())] * 6)
        assert opened == [0] * 6

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G17")
    def test_a_process_follows_what_others_append(self, open_backend: OpenBackend, stored_session: Session) -> None:
        """Look at the watcher: commits of other processes are found by looking."""
        follower = partial(follow_log, session=stored_session, count=2 * ROUNDS)
        writer = partial(append_one_by_one, session=stored_session)
        followed, *_ = in_processes(open_backend, follower, writer, writer)
        assert followed == list(range(1, 2 * ROUNDS + 1))

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G12")
    @pytest.mark.parametrize("acknowledged", [0, 1, 5])
    def test_a_killed_process_leaves_nothing_half_done(
        self, open_backend: OpenBackend, stored_session: Session, acknowledged: int
    ) -> None:
        """Look at the transaction of `_flush`: run and events are there together, and all that was acknowledged."""
        with children(open_backend, [partial(flush_forever, session=stored_session)]) as [child]:
            told = [child.said() for _ in range(acknowledged)]
            child.kill()
        with open_backend() as backend:
            events = backend.session_store.get_events(stored_session.id)
            runs = backend.session_store.list_runs(stored_session.id)
            assert numbers(events) == list(range(1, 3 * len(runs) + 1))
            assert {event.run_id for event in events} == set(ids(runs))
            assert {run_id for run_id, _ in told} <= set(ids(runs))
            assert {name for _, names in told for name in names} <= set(ids(events))
            assert backend.maintenance.health_check() == []

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G12")
    def test_a_store_is_healthy_after_maintenance_was_killed(self, open_backend: OpenBackend) -> None:
        """Look at the batches of maintenance: each is a transaction that is there or not."""
        need_fork()
        with children(open_backend, [maintain_forever] * 2) as pair:
            for child in pair:
                child.said()
                child.kill()
        with open_backend() as backend:
            assert backend.maintenance.health_check() == []
            session = backend.session_store.save_session(a_session())
            assert backend.session_store.append_event(an_event(session)).sequence_number == 1
