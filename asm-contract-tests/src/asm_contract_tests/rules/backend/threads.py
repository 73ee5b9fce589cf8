"""Many threads on one backend, and on two handles of one store."""

from __future__ import annotations

from functools import partial
from itertools import chain

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, as_saved, ids, numbers, some_events
from asm_contract_tests.together import in_threads
from asm_core import (
    AlreadyExistsError,
    Backend,
    Event,
    ExecutionResult,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
)

THREADS = 8
ROUNDS = 15


def append_one_by_one(store: SessionStore, session: Session) -> list[Event]:
    """Append events, one call each."""
    return [store.append_event(an_event(session)) for _ in range(ROUNDS)]


def watch(store: SessionStore, session: Session, count: int) -> list[list[int | None]]:
    """Read the log until it has `count` events; return the result of each read."""
    reads: list[list[int | None]] = [[]]
    while len(reads[-1]) < count:
        reads.append(numbers(store.get_events(session.id)))
    return reads


def only_grows(reads: list[list[int | None]]) -> bool:
    """Return whether each read saw 1, 2, 3, … without a gap, and never less than the previous one."""
    whole = all(read == list(range(1, len(read) + 1)) for read in reads)
    return whole and [len(read) for read in reads] == sorted(len(read) for read in reads)


class ConcurrencyContract(Contract):
    """The guarantees hold for any number of threads."""

    @pytest.fixture
    def stores(self, backend: Backend, other_backend: Backend) -> list[SessionStore]:
        """Return a session store for each thread: half of them share one handle, half another."""
        return [backend.session_store, other_backend.session_store] * (THREADS // 2)

    @pytest.mark.guarantee("G1")
    def test_threads_that_append_to_one_session_leave_no_gap(
        self, stores: list[SessionStore], session: Session
    ) -> None:
        """Check how `_append` takes numbers: the counter must be locked, or raised in one statement."""
        written = in_threads(*(partial(append_one_by_one, store, session) for store in stores))
        stored = stores[0].get_events(session.id)
        assert numbers(stored) == list(range(1, THREADS * ROUNDS + 1))
        assert sorted(ids(chain(*written))) == sorted(ids(stored))
        assert all(numbers(mine) == sorted(number for number in numbers(mine) if number) for mine in written)

    @pytest.mark.guarantee("G1")
    def test_threads_that_append_to_sessions_of_their_own_leave_no_gap(self, stores: list[SessionStore]) -> None:
        """Look for a busy error that reaches the caller, or a number of another session."""
        sessions = [stores[0].save_session(a_session()) for _ in stores]
        in_threads(*(partial(append_one_by_one, *pair) for pair in zip(stores, sessions, strict=True)))
        assert [numbers(stores[0].get_events(one.id)) for one in sessions] == [list(range(1, ROUNDS + 1))] * THREADS

    @pytest.mark.guarantee("G2")
    def test_a_reader_never_sees_a_gap_that_fills_later(self, stores: list[SessionStore], session: Session) -> None:
        """Look for numbers that become visible in another order than they were assigned."""

        def write(store: SessionStore) -> list[list[int | None]]:
            return [numbers(append_one_by_one(store, session))]

        reads, *_ = in_threads(
            partial(watch, stores[-1], session, 4 * ROUNDS),
            *(partial(write, store) for store in stores[:4]),
        )
        assert only_grows(reads)

    @pytest.mark.guarantee("G3")
    def test_one_event_from_many_threads_is_stored_once(self, stores: list[SessionStore], session: Session) -> None:
        """Check two appends of one id that both find it missing: the loser must return the winner's event."""
        for event in some_events(session, 10):
            answers = in_threads(*(partial(store.append_event, event) for store in stores))
            assert len(set(numbers(answers))) == 1
        assert numbers(stores[0].get_events(session.id)) == list(range(1, 11))

    @pytest.mark.guarantee("G3")
    def test_of_two_facts_under_one_id_at_once_one_wins(self, stores: list[SessionStore], session: Session) -> None:
        """Check two appends of one id that both find it missing: one is stored, the others are rejected."""

        def attempt(store: SessionStore, place: int) -> str:
            try:
                return str(store.append_event(an_event(session, id="evt_one", data={"n": place})).data)
            except AlreadyExistsError:
                return "refused"

        answers = in_threads(*(partial(attempt, store, place) for place, store in enumerate(stores)))
        [stored] = stores[0].get_events(session.id)
        assert sorted(answers) == sorted([str(stored.data), *["refused"] * (THREADS - 1)])

    @pytest.mark.guarantee("G4")
    def test_batches_in_opposite_orders_do_not_lock_each_other_out(self, stores: list[SessionStore]) -> None:
        """Check the order in which `_append` locks counters: by session id, whatever the order of the batch."""
        sessions = [stores[0].save_session(a_session()) for _ in range(4)]

        def append(store: SessionStore, order: list[Session]) -> None:
            for _ in range(ROUNDS):
                store.append_events(an_event(session) for session in order)

        orders = [sessions, sessions[::-1], sessions[2:] + sessions[:2], sessions[::-1]] * 2
        in_threads(*(partial(append, *pair) for pair in zip(stores, orders, strict=True)))
        assert [stores[0].get_latest_sequence(session.id) for session in sessions] == [THREADS * ROUNDS] * 4

    @pytest.mark.guarantee("G4")
    def test_batches_become_visible_as_a_whole(self, stores: list[SessionStore], session: Session) -> None:
        """Look for a batch that becomes visible in parts."""

        def append(store: SessionStore) -> list[list[int | None]]:
            return [numbers(store.append_events(some_events(session, 5))) for _ in range(ROUNDS)]

        reads, *_ = in_threads(
            partial(watch, stores[-1], session, 2 * ROUNDS * 5), partial(append, stores[0]), partial(append, stores[1])
        )
        assert only_grows(reads)
        assert {len(read) % 5 for read in reads} == {0}

    @pytest.mark.guarantee("G5")
    def test_flushes_become_visible_as_a_whole(self, stores: list[SessionStore], session: Session) -> None:
        """Look for a flush that becomes visible in parts: a reader that sees the run sees its event too."""
        runs = [a_run(session) for _ in range(ROUNDS)]

        def flush() -> int:
            for run in runs:
                stores[0].flush(ExecutionResult(session, run, [an_event(session, run_id=run.id)]))
            return 0

        def check() -> int:
            seen = 0
            while seen < len(runs):
                finished = stores[1].list_runs(session.id)
                events = stores[1].get_events(session.id)
                seen = len(finished)
                assert {run.id for run in finished} <= {event.run_id for event in events}
            return seen

        assert in_threads(flush, check) == [0, ROUNDS]

    @pytest.mark.guarantee("G8")
    def test_upserts_of_one_session_at_once_leave_one_of_them(
        self, stores: list[SessionStore], session: Session
    ) -> None:
        """Check two upserts that both find the row missing, or overwrite each other in parts."""
        versions = [a_session(id=session.id, agent_id=f"a{place}", tags=[f"t{place}"]) for place in range(THREADS)]

        def save(store: SessionStore, version: Session) -> None:
            for _ in range(ROUNDS):
                store.save_session(version)

        in_threads(*(partial(save, *pair) for pair in zip(stores, versions, strict=True)))
        stored = stores[0].get_session(session.id)
        assert as_saved(stored, 0) in versions
        assert stored.revision == 1 + THREADS * ROUNDS

    def test_one_key_is_registered_once(self, backend: Backend, other_backend: Backend) -> None:
        """Check two registrations of one key that both find it free."""
        registries = [backend.artifact_registry, other_backend.artifact_registry] * 4

        def register(place: int) -> str:
            try:
                return registries[place].register(an_artifact(byte_size=place)).id
            except AlreadyExistsError:
                return "refused"

        answers = in_threads(*(partial(register, place) for place in range(THREADS)))
        stored = backend.artifact_registry.get_by_key("report")
        assert stored is not None
        assert sorted(answers) == sorted([stored.id, *["refused"] * (THREADS - 1)])

    @pytest.mark.guarantee("G7")
    def test_an_append_to_a_session_that_is_being_deleted_is_whole_or_nothing(
        self, stores: list[SessionStore], backend: Backend
    ) -> None:
        """Look for events, runs or counters that outlive their session, and for foreign errors of the loser."""

        def use(store: SessionStore, session: Session) -> None:
            try:
                for _ in range(ROUNDS):
                    store.append_event(an_event(session))
                    store.save_run(a_run(session))
            except SessionNotFoundError:
                return

        for _ in range(3):
            session = stores[0].save_session(a_session())
            users = [partial(use, store, session) for store in stores[:3]]
            in_threads(*users, partial(stores[3].delete_session, session.id))
            assert backend.query_api.count_events() == 0
            assert backend.query_api.search_runs().items == []
        assert backend.maintenance.health_check() == []

    @pytest.mark.guarantee("G1")
    def test_maintenance_during_writes_loses_nothing(
        self, backend: Backend, other_backend: Backend, session: Session
    ) -> None:
        """Check pruning during appends: numbers continue, new events stay, and no call fails."""

        def write() -> int:
            return len(append_one_by_one(backend.session_store, session))

        def prune() -> int:
            policy = RetentionPolicy(max_events_per_session=5, batch_size=2)
            return sum(other_backend.maintenance.execute(policy).events_pruned for _ in range(ROUNDS))

        written = in_threads(write, write, prune)
        stored = numbers(backend.session_store.get_events(session.id))
        assert backend.session_store.get_latest_sequence(session.id) == 2 * ROUNDS
        assert stored == list(range(2 * ROUNDS - len(stored) + 1, 2 * ROUNDS + 1))
        assert sum(written) == 2 * ROUNDS + (2 * ROUNDS - len(stored))
        assert backend.maintenance.health_check() == []

    @pytest.mark.guarantee("G15")
    def test_everything_at_once_raises_nothing_else(self, stores: list[SessionStore], backend: Backend) -> None:
        """Check the error of a thread: no call here may fail, whatever the others do.

        After a deadlock, or an id conflict in each retry, check the removal of sessions: it must not touch a session
        that was created again after the removal searched for it, or events without a session would remain.
        """

        def mix(store: SessionStore, place: int) -> None:
            for turn in range(ROUNDS):
                session = a_session(id=f"s{(place + turn) % 3}")
                store.flush(ExecutionResult(session, a_run(session), some_events(session, 2)))
                store.list_sessions(limit=2)
                backend.query_api.search_events(limit=3, order_by="timestamp_desc")
                if turn % 5 == 4:
                    store.delete_session(session.id)

        in_threads(*(partial(mix, store, place) for place, store in enumerate(stores)))
        assert backend.maintenance.health_check() == []
