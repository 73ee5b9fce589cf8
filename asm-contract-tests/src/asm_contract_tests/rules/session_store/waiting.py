"""Waiting for events."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_event, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, in_threads
from asm_core import Backend, Session, SessionNotFoundError, SessionStore, StoredEvent

ROUNDS = 10


def woken(waiter: SessionStore, session: Session, writer: SessionStore) -> list[StoredEvent]:
    """Return the result of a waiter for the next event, which is appended meanwhile."""
    last = writer.get_latest_sequence(session.id)
    begins = threading.Event()

    def wait() -> list[StoredEvent]:
        begins.set()
        return waiter.get_events(session.id, after=last, wait_timeout=2 * PATIENCE)

    with begun(wait) as waiting:
        begins.wait(PATIENCE)
        for _ in range(3):  # time for the waiter to read and begin its wait
            writer.get_events(session.id)
        writer.append_event(an_event(session))
        return waiting.result(PATIENCE)


class WaitForEventsContract(Contract):
    """`get_events(wait_timeout=...)` waits for the first event, and misses none.

    No test measures time: a wait that is too long shows as one that has not ended after a minute.
    """

    @pytest.mark.guarantee("G17")
    def test_a_wait_for_what_is_there_already_ends_at_once(self, store: SessionStore, session: Session) -> None:
        """Check `get_events`: it reads before it waits."""
        store.append_events(some_events(session, 2))
        with begun(lambda: store.get_events(session.id, after=1, wait_timeout=2 * PATIENCE)) as wait:
            assert numbers(wait.result(PATIENCE)) == [2]

    @pytest.mark.guarantee("G17")
    def test_a_wait_in_vain_ends_with_nothing(self, store: SessionStore, session: Session) -> None:
        """Check the deadline of `get_events`."""
        with begun(lambda: store.get_events(session.id, wait_timeout=0.05)) as wait:
            assert wait.result(PATIENCE) == []

    @pytest.mark.guarantee("G17")
    def test_a_wait_ends_with_what_is_appended_meanwhile(self, store: SessionStore, session: Session) -> None:
        """Check how an append wakes the waiters of the same backend."""
        for _ in range(ROUNDS):
            assert woken(store, session, store) == store.get_events(session.id)[-1:]

    @pytest.mark.guarantee("G17")
    def test_a_wait_ends_with_what_another_handle_appends(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Check the watcher: it must find commits without a notification."""
        for _ in range(ROUNDS):
            assert woken(store, session, other_backend.session_store) == store.get_events(session.id)[-1:]

    @pytest.mark.guarantee("G17")
    def test_a_wait_passes_over_what_its_filters_do_not_allow(self, store: SessionStore, session: Session) -> None:
        """Check the loop of `get_events`: an event of another type wakes it, and it must go back to waiting."""
        with begun(lambda: store.get_events(session.id, type="run_failed", wait_timeout=2 * PATIENCE)) as wait:
            store.append_events(some_events(session, 3))
            event = store.append_event(an_event(session, type="run_failed"))
            assert wait.result(PATIENCE) == [event]

    @pytest.mark.guarantee("G17")
    @pytest.mark.parametrize("across_handles", [False, True], ids=["one handle", "two handles"])
    def test_two_waiters_that_alternate_never_miss_a_turn(
        self, store: SessionStore, other_backend: Backend, session: Session, *, across_handles: bool
    ) -> None:
        """Look for an event that is committed between the read and the wait: no waiter may miss it."""
        other = other_backend.session_store if across_handles else store

        def play(mine: SessionStore, first: int) -> list[StoredEvent]:
            seen: list[StoredEvent] = []
            for turn in range(first, 60, 2):
                if turn:
                    events = mine.get_events(session.id, after=turn - 1, wait_timeout=PATIENCE)
                    assert events, f"turn {turn - 1} was committed, but no waiter was woken"
                    seen += events
                mine.append_event(an_event(session, data={"turn": turn}))
            return seen

        odd, even = in_threads(partial(play, store, 0), partial(play, other, 1))
        assert sorted(event.data["turn"] for event in odd + even) == list(range(59))

    @pytest.mark.guarantee("G17")
    def test_many_wait_at_once(self, store: SessionStore, other_backend: Backend) -> None:
        """Check the watcher: every waiter is woken, each by its own session."""
        sessions = [store.save_session(a_session()) for _ in range(10)]
        writer = other_backend.session_store

        def wait(session: Session) -> list[StoredEvent]:
            return store.get_events(session.id, wait_timeout=PATIENCE)

        def write() -> list[StoredEvent]:
            return [writer.append_event(an_event(session)) for session in sessions]

        written, *seen = in_threads(write, *(partial(wait, session) for session in sessions * 2))
        assert seen == [[event] for event in written] * 2

    @pytest.mark.guarantee("G17")
    def test_a_wait_for_a_session_that_is_deleted_ends(
        self, store: SessionStore, other_backend: Backend, session: Session
    ) -> None:
        """Check the watcher: a session that is gone ends the wait, with SessionNotFoundError."""
        with begun(lambda: store.get_events(session.id, wait_timeout=2 * PATIENCE)) as wait:
            other_backend.session_store.delete_session(session.id)
            with pytest.raises(SessionNotFoundError):
                wait.result(PATIENCE)

    @pytest.mark.guarantee("G17")
    @pytest.mark.parametrize(
        "filters", [{"before": 0}, {"before": 1}, {"before": 3}, {"run_id": []}, {"type": ()}], ids=str
    )
    def test_a_wait_for_what_can_no_longer_come_ends_at_once(
        self, store: SessionStore, session: Session, filters: dict[str, Any]
    ) -> None:
        """Check `get_events`: no new number comes below `before`, and an empty filter matches nothing."""
        store.append_events(some_events(session, 2))
        wanted: dict[str, Any] = {"type": "run_failed", **filters}
        with begun(lambda: store.get_events(session.id, wait_timeout=2 * PATIENCE, **wanted)) as wait:
            assert wait.result(PATIENCE) == []

    @pytest.mark.guarantee("G17")
    @pytest.mark.parametrize("timeout", [1e9, 1e300])
    def test_a_wait_may_be_very_long(self, store: SessionStore, session: Session, timeout: float) -> None:
        """Look for a timeout that overflows what the platform can wait."""
        with begun(lambda: store.get_events(session.id, wait_timeout=timeout)) as wait:
            event = store.append_event(an_event(session))
            assert wait.result(PATIENCE) == [event]
