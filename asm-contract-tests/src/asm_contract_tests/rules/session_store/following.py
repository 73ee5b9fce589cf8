"""Events: followed."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import an_event, label, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, in_threads
from asm_core import (
    Backend,
    Event,
    Maintenance,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
)

MOST = 2000
"""More events than any test stores: a follower that goes round in circles must not take the test with it."""


def all_followed(store: SessionStore, session: Session, **arguments: Any) -> list[Event]:
    """Return what a follower yields until it ends."""
    return list(islice(store.follow_events(session.id, **arguments), MOST))


class FollowEventsContract(Contract):
    """`follow_events` yields stored events, then new ones, in order and without omission."""

    @pytest.mark.guarantee("G17")
    def test_following_begins_with_what_is_there(self, store: SessionStore, session: Session) -> None:
        """Check `_follow`: the first read comes before the first wait."""
        stored = store.append_events(some_events(session, 3))
        assert all_followed(store, session, idle_timeout=0) == stored

    @pytest.mark.guarantee("G17")
    def test_following_goes_on_with_what_comes(self, store: SessionStore, session: Session) -> None:
        """Check `_follow`: it continues after the last event that it yielded."""
        follow = store.follow_events(session.id)
        seen: list[Event] = []
        for number in (1, 2, 3):
            with begun(lambda: next(follow)) as coming:
                store.append_event(an_event(session, data={"n": number}))
                seen.append(coming.result(PATIENCE))
        assert seen == store.get_events(session.id)

    @pytest.mark.guarantee("G17")
    def test_a_follower_misses_nothing_of_many_writers(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Look for numbers that become visible out of order, or between the reads of the head and of the log."""
        writer = other_backend.session_store

        def write() -> list[Event]:
            return [writer.append_event(an_event(session)) for _ in range(25)]

        def follow() -> list[Event]:
            return list(islice(store.follow_events(session.id), 100))

        seen, *_ = in_threads(follow, write, write, write, write)
        assert numbers(seen) == list(range(1, 101))
        assert seen == store.get_events(session.id)

    @pytest.mark.guarantee("G17")
    def test_following_reads_more_than_a_page(self, store: SessionStore, session: Session) -> None:
        """Check `_follow`: pages follow each other without a gap and without a repeat."""
        store.append_events(some_events(session, 1201))
        assert numbers(all_followed(store, session, idle_timeout=0)) == list(range(1, 1202))

    @pytest.mark.parametrize(("after", "expected"), [(0, [1, 2, 3]), (1, [2, 3]), (3, []), (9, [])])
    def test_following_begins_after_a_number(
        self, store: SessionStore, session: Session, after: int, expected: list[int]
    ) -> None:
        """Check how `follow_events` applies `after`: exclusive."""
        store.append_events(some_events(session, 3))
        assert numbers(all_followed(store, session, after=after, idle_timeout=0)) == expected

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"run_id": "run_a"}, [1, 3]),
            ({"run_id": ["run_a", "run_b"]}, [1, 2, 3, 4]),
            ({"type": "run_failed"}, [3, 4]),
            ({"type": ["run_failed"], "run_id": "run_a"}, [3]),
            ({"type": []}, []),
            ({"run_id": "run_unknown"}, []),
        ],
        ids=label,
    )
    def test_following_keeps_to_its_filters(
        self, store: SessionStore, session: Session, filters: dict[str, Any], expected: list[int]
    ) -> None:
        """Check how `follow_events` applies its filters: any of several values, all filters together."""
        kinds = ["run_started", "run_started", "run_failed", "run_failed"]
        for kind, run_id in zip(kinds, ["run_a", "run_b", "run_a", "run_b"], strict=True):
            store.append_event(an_event(session, type=kind, run_id=run_id))
        assert numbers(all_followed(store, session, idle_timeout=0, **filters)) == expected

    @pytest.mark.guarantee("G17")
    def test_a_follower_with_a_filter_waits_for_what_passes(self, store: SessionStore, session: Session) -> None:
        """Check `_follow`: events that its filters skip must neither end it nor make it poll forever."""
        follow = store.follow_events(session.id, type="run_failed")
        with begun(lambda: next(follow)) as coming:
            store.append_events(some_events(session, 5))
            event = store.append_event(an_event(session, type="run_failed"))
            assert coming.result(PATIENCE) == event

    def test_following_passes_over_pruned_numbers(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Look for a follower that waits for a number that was pruned."""
        store.append_events(some_events(session, 6))
        maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=2))
        assert numbers(all_followed(store, session, after=1, idle_timeout=0)) == [5, 6]

    def test_following_ends_when_nothing_comes(self, store: SessionStore, session: Session) -> None:
        """Check how `_follow` counts `idle_timeout`."""
        with begun(lambda: all_followed(store, session, idle_timeout=0.05)) as follow:
            assert follow.result(PATIENCE) == []

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_is_not_followed(self, store: SessionStore) -> None:
        """Check `_follow`: an unknown session is SessionNotFoundError, not an endless wait."""
        with pytest.raises(SessionNotFoundError):
            next(store.follow_events("ses_unknown"))

    @pytest.mark.guarantee("G17")
    def test_following_ends_when_the_session_is_deleted(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Check the watcher: a session that is gone ends the wait, with SessionNotFoundError."""
        follow = store.follow_events(session.id)
        with begun(partial(next, follow)) as coming:
            other_backend.session_store.delete_session(session.id)
            with pytest.raises(SessionNotFoundError):
                coming.result(PATIENCE)
