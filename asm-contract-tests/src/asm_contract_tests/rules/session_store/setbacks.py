"""Logs that were set back."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import an_event, label, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun
from asm_core import (
    Backend,
    LogSetBackError,
    Maintenance,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
)

if TYPE_CHECKING:
    from asm_core import StoredEvent

FILTERS = pytest.mark.parametrize(
    "filters", [{}, {"type": "message_received"}, {"run_id": "run_a"}, {"type": "turn_completed"}], ids=label
)
"""Without one, those that all events of these tests pass, and one that none of them does but the first."""
REPLACEMENTS = pytest.mark.parametrize("count", [0, 1, 5, 300])


def begin(store: SessionStore, session: Session, count: int = 3) -> list[StoredEvent]:
    """Store a turn, then other events, and return all of them."""
    first = an_event(session, type="turn_completed", run_id="run_a")
    return store.append_events([first, *some_events(session, count - 1, run_id="run_a")])


def replace_log(store: SessionStore, session: Session, count: int) -> None:
    """Delete the session, and store it again under its id, with other events."""
    store.delete_session(session.id)
    store.save_session(session)
    store.append_events(some_events(session, count, run_id="run_a"))


class SetBackContract(Contract):
    """A log that lost events that were read, or was replaced, raises `LogSetBackError`; a pruned log does not."""

    @pytest.mark.guarantee("G2")
    @FILTERS
    @REPLACEMENTS
    def test_a_follower_finds_a_replaced_log(
        self, store: SessionStore, other_backend: Backend, session: Session, filters: dict[str, Any], count: int
    ) -> None:
        """Check `load_heads`, and look for a follower that continues by numbers only: it must not yield events."""
        begin(store, session)
        follow = store.follow_events(session.id, **filters, idle_timeout=PATIENCE)
        seen = next(follow)
        while (seen.sequence_number or 0) < 3 and filters.get("type") != "turn_completed":
            seen = next(follow)
        replace_log(other_backend.session_store, session, count)
        with pytest.raises(LogSetBackError) as caught:
            next(follow)
        assert caught.value.details["session_id"] == session.id
        assert caught.value.details["last_seen"] >= (seen.sequence_number or 0)

    @pytest.mark.guarantee("G2")
    def test_a_follower_finds_a_log_that_was_restored_under_its_id(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Check `load_heads`: the id of a log is random and made with the session, so that a copy has another."""
        events = begin(store, session)
        follow = store.follow_events(session.id, idle_timeout=0.05)
        assert list(islice(follow, 3)) == events
        other_backend.session_store.delete_session(session.id)
        other_backend.session_store.restore_session(session, (), events)
        with pytest.raises(LogSetBackError):
            list(islice(follow, 3))

    @pytest.mark.guarantee("G2")
    def test_a_follower_that_waits_finds_a_replaced_log(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Check the watcher: it must end a wait for any other head, not only for a greater one."""
        begin(store, session)
        follow = store.follow_events(session.id, after=3)
        with begun(lambda: next(follow)) as coming:
            replace_log(other_backend.session_store, session, 2)
            with pytest.raises((LogSetBackError, SessionNotFoundError)):
                coming.result(PATIENCE)

    @pytest.mark.guarantee("G2")
    @FILTERS
    def test_events_after_an_event_are_those_after_its_number(
        self, store: SessionStore, session: Session, filters: dict[str, Any]
    ) -> None:
        """Check `get_events` and `follow_events`: the event itself is looked up, and not given out."""
        events = begin(store, session, 6)
        for event in events:
            expected = store.get_events(session.id, after=event.sequence_number, **filters)
            assert store.get_events(session.id, after=event, **filters) == expected
            assert store.get_events(session.id, after=event, limit=2, **filters) == expected[:2]
            assert list(islice(store.follow_events(session.id, after=event, idle_timeout=0, **filters), 9)) == expected

    @pytest.mark.guarantee("G2")
    @FILTERS
    @REPLACEMENTS
    def test_reading_on_from_an_event_finds_a_replaced_log(
        self, store: SessionStore, session: Session, filters: dict[str, Any], count: int
    ) -> None:
        """Check `get_events` and `follow_events`: the number of `after` has no event, or another one."""
        events = begin(store, session)
        replace_log(store, session, count)
        for event in events:
            with pytest.raises(LogSetBackError):
                store.get_events(session.id, after=event, **filters)
            with pytest.raises(LogSetBackError):
                next(store.follow_events(session.id, after=event, idle_timeout=0, **filters))

    @pytest.mark.guarantee("G2")
    def test_a_wait_after_an_event_finds_a_replaced_log(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Check `get_events`: it compares again each time the watcher ends its wait."""
        last = begin(store, session)[-1]
        with begun(lambda: store.get_events(session.id, after=last, wait_timeout=PATIENCE)) as coming:
            replace_log(other_backend.session_store, session, 2)
            with pytest.raises((LogSetBackError, SessionNotFoundError)):
                coming.result(PATIENCE)

    @pytest.mark.guarantee("G7")
    def test_nothing_is_read_after_an_event_of_a_session_that_is_gone(
        self, store: SessionStore, session: Session
    ) -> None:
        """Check `load_heads`: it leaves out sessions that are not stored."""
        last = begin(store, session)[-1]
        follow = store.follow_events(session.id)
        next(follow)
        store.delete_session(session.id)
        with pytest.raises(SessionNotFoundError):
            store.get_events(session.id, after=last)
        with pytest.raises(SessionNotFoundError):
            list(islice(follow, 9))

    @pytest.mark.guarantee("G2")
    @FILTERS
    def test_a_pruned_event_is_no_setback(
        self, store: SessionStore, maintenance: Maintenance, session: Session, filters: dict[str, Any]
    ) -> None:
        """Look for a follower that mistakes pruning for a loss: the log continues, and its counter is not lowered."""
        events = begin(store, session)
        follow = store.follow_events(session.id, idle_timeout=PATIENCE)
        assert list(islice(follow, 3)) == events
        store.append_events(some_events(session, 3, run_id="run_a"))
        maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=1))
        assert numbers([next(follow)]) == [6]
        expected = store.get_events(session.id, **filters)
        for event in events:
            assert store.get_events(session.id, after=event, **filters) == expected
            assert list(store.follow_events(session.id, after=event, idle_timeout=0, **filters)) == expected
