"""Events that are pruned."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, at, ids, numbers, some_events
from asm_contract_tests.together import in_threads
from asm_core import (
    Backend,
    EventType,
    Maintenance,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
)

PROTECTED = ("session_created", "run_started", "run_completed", "run_failed", "error_occurred")


def keep(most: int | None, **fields: Any) -> RetentionPolicy:
    """Return the policy that keeps this many events of a session."""
    return RetentionPolicy(max_events_per_session=most, **fields)


class PruneSessionContract(Contract):
    """A session with too many events loses the oldest ones."""

    @pytest.mark.parametrize(("most", "left"), [(0, []), (1, [5]), (3, [3, 4, 5]), (5, [1, 2, 3, 4, 5])])
    def test_a_session_is_pruned_down_to_a_number_of_events(
        self, store: SessionStore, maintenance: Maintenance, session: Session, most: int, left: list[int]
    ) -> None:
        """Check `_find_prunable` of one session: by number, the oldest first."""
        store.append_events(some_events(session, 5))
        assert maintenance.prune_session_events(session.id, keep(most)) == 5 - len(left)
        assert numbers(store.get_events(session.id)) == left

    @pytest.mark.parametrize("most", [5, 6, None])
    def test_a_session_within_its_limit_is_not_pruned(
        self, store: SessionStore, maintenance: Maintenance, session: Session, most: int | None
    ) -> None:
        """Check `_count_stored`, and at `max_events_per_session`: None is unlimited."""
        store.append_events(some_events(session, 5))
        assert maintenance.prune_session_events(session.id, keep(most)) == 0

    @pytest.mark.guarantee("G1")
    def test_pruning_never_frees_a_number(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `remove_events`: the counter stays, even when no event is left."""
        store.append_events(some_events(session, 5))
        maintenance.prune_session_events(session.id, keep(0))
        assert store.get_latest_sequence(session.id) == 5
        assert numbers(store.append_events(some_events(session, 1))) == [6]

    @pytest.mark.parametrize("kind", PROTECTED)
    def test_protected_event_types_are_never_pruned(
        self, store: SessionStore, maintenance: Maintenance, session: Session, kind: str
    ) -> None:
        """Check `_find_prunable`: the protected types are left out, even if too many events stay."""
        for event_type in (kind, "message_sent", kind, "message_sent"):
            store.append_event(an_event(session, type=event_type))
        assert maintenance.prune_session_events(session.id, keep(0)) == 2
        assert numbers(store.get_events(session.id)) == [1, 3]

    def test_everything_else_may_be_pruned(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `_find_prunable`: only the five protected types are left out."""
        store.append_events(an_event(session, type=kind) for kind in EventType)
        maintenance.prune_session_events(session.id, keep(0))
        assert {str(event.type) for event in store.get_events(session.id)} == set(PROTECTED)

    def test_protected_events_count_towards_the_limit(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `_count_stored`: every event that is stored counts."""
        for kind in ("run_started", "message_sent", "message_sent", "run_completed"):
            store.append_event(an_event(session, type=kind))
        assert maintenance.prune_session_events(session.id, keep(3)) == 1
        assert numbers(store.get_events(session.id)) == [1, 3, 4]

    def test_some_types_are_pruned_before_any_other(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check how `_find_prunable` applies `types`: the named types go first, oldest first, then the others."""
        kinds = ["message_sent", "message_streamed", "message_sent", "token_usage_updated", "message_streamed"]
        for kind in kinds:
            store.append_event(an_event(session, type=kind))
        left = []
        for most in (4, 3, 2, 1):
            maintenance.prune_session_events(session.id, keep(most))
            left.append(numbers(store.get_events(session.id)))
        assert left == [[1, 3, 4, 5], [1, 3, 5], [1, 3], [3]]

    @pytest.mark.parametrize(
        ("first", "left"), [((), [3, 4]), (["tool_call_started"], [1, 4]), (["message_sent"], [2, 3])]
    )
    def test_prune_event_types_first_are_pruned_first(
        self, store: SessionStore, maintenance: Maintenance, session: Session, first: Any, left: list[int]
    ) -> None:
        """Check `prune_event_types_first`: it may be empty, and any type that is not protected."""
        for kind in ("message_sent", "tool_call_started", "tool_call_started", "message_sent"):
            store.append_event(an_event(session, type=kind))
        maintenance.prune_session_events(session.id, keep(2, prune_event_types_first=first))
        assert numbers(store.get_events(session.id)) == left

    def test_the_age_of_an_event_in_its_session_is_its_number(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check the order of `_find_prunable` within one session: by number, not by time."""
        for second in (9, 5, 1):
            store.append_event(an_event(session, timestamp=at(second)))
        maintenance.prune_session_events(session.id, keep(1))
        assert numbers(store.get_events(session.id)) == [3]

    def test_pruning_one_session_leaves_all_else(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check the condition of `_find_prunable` and `remove_events`."""
        other = store.save_session(a_session())
        run = store.save_run(a_run(session))
        for place in (session, other):
            store.append_events(some_events(place, 3))
        maintenance.prune_session_events(session.id, keep(0))
        assert store.get_session(session.id) == session
        assert store.list_runs(session.id) == [run]
        assert numbers(store.get_events(other.id)) == [1, 2, 3]

    @pytest.mark.guarantee("G7")
    @pytest.mark.parametrize("most", [0, None])
    def test_an_unknown_session_is_not_pruned(self, maintenance: Maintenance, most: int | None) -> None:
        """Check `prune_session_events`: an unknown session is SessionNotFoundError, whatever the policy says."""
        with pytest.raises(SessionNotFoundError):
            maintenance.prune_session_events("ses_unknown", keep(most))

    def test_a_pass_prunes_every_session(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `find_oversized`: every session with more events than that, and no other."""
        for name, count in [("s1", 5), ("s2", 2), ("s3", 3), ("s4", 0)]:
            store.save_session(a_session(id=name))
            store.append_events(some_events(name, count))
        assert maintenance.execute(keep(2)).events_pruned == 4
        assert [numbers(store.get_events(name)) for name in ("s1", "s2", "s3", "s4")] == [[4, 5], [1, 2], [2, 3], []]


class PruneTotalContract(Contract):
    """A store with too many events loses the oldest ones of all."""

    @pytest.fixture
    def crossing(self, store: SessionStore) -> None:
        """Store six events of two sessions, e0 to e5 by time; the middle ones are equally old."""
        for name in ("s1", "s2"):
            store.save_session(a_session(id=name))
        for name, session_id, second in [
            ("e5", "s1", 9),
            ("e2", "s1", 5),
            ("e4", "s2", 5),
            ("e1", "s2", 2),
            ("e0", "s1", 1),
            ("e3", "s1", 5),
        ]:
            store.append_event(an_event(session_id, id=name, timestamp=at(second)))

    @pytest.mark.parametrize("most", [0, 1, 2, 3, 5, 6, 7])
    @pytest.mark.usefixtures("crossing")
    def test_the_store_is_pruned_down_to_a_number_of_events(
        self, store: SessionStore, maintenance: Maintenance, most: int
    ) -> None:
        """Check the order of `_find_prunable` over all: by timestamp, then session, then number."""
        report = maintenance.execute(RetentionPolicy(max_total_events=most))
        left = sorted(ids(store.get_events("s1") + store.get_events("s2")))
        assert left == ["e0", "e1", "e2", "e3", "e4", "e5"][max(0, 6 - most) :]
        assert report.events_pruned == 6 - len(left)

    @pytest.mark.usefixtures("crossing")
    def test_a_store_is_not_pruned_without_a_limit(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `max_total_events`: None is unlimited."""
        assert maintenance.execute(RetentionPolicy()).events_pruned == 0
        assert len(store.get_events("s1")) == 4

    @pytest.mark.usefixtures("crossing")
    def test_some_types_of_all_sessions_go_first(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check how `_find_prunable` over all applies `types`: before any other, however young."""
        store.append_event(an_event("s2", id="streamed", type="message_streamed", timestamp=at(99)))
        maintenance.execute(RetentionPolicy(max_total_events=5))
        assert sorted(ids(store.get_events("s1") + store.get_events("s2"))) == ["e1", "e2", "e3", "e4", "e5"]

    @pytest.mark.usefixtures("crossing")
    def test_protected_events_stay_however_many_they_are(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `_find_prunable` over all: the protected types are left out."""
        store.append_event(an_event("s2", id="told", type="error_occurred", timestamp=at(0)))
        assert maintenance.execute(RetentionPolicy(max_total_events=0)).events_pruned == 6
        assert ids(store.get_events("s2")) == ["told"]

    @pytest.mark.usefixtures("crossing")
    def test_both_limits_hold_together(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `execute`: first each session is pruned, then what is left of all."""
        policy = RetentionPolicy(max_events_per_session=3, max_total_events=3)
        assert maintenance.execute(policy).events_pruned == 3
        assert sorted(ids(store.get_events("s1") + store.get_events("s2"))) == ["e2", "e3", "e4"]

    @pytest.mark.guarantee("G1")
    @pytest.mark.usefixtures("crossing")
    def test_pruning_all_sessions_frees_no_number(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `remove_events`: counters stay."""
        maintenance.execute(RetentionPolicy(max_total_events=0))
        assert (store.get_latest_sequence("s1"), store.get_latest_sequence("s2")) == (4, 2)

    def test_prunings_at_once_keep_what_is_to_be_kept(
        self, backend: Backend, other_backend: Backend, session: Session
    ) -> None:
        """Check `batch`: what is counted in it must still be so when it removes."""
        backend.session_store.append_events(some_events(session, 200))
        policy = RetentionPolicy(max_events_per_session=100, batch_size=10)
        in_threads(
            *(
                partial(each.maintenance.prune_session_events, session.id, policy)
                for each in (backend, other_backend) * 2
            )
        )
        assert numbers(backend.session_store.get_events(session.id)) == list(range(101, 201))
