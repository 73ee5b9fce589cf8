"""Reading of events."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_session, an_event, at, numbers, some_events
from asm_core import (
    EventType,
    Maintenance,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
)


class GetEventsContract(Contract):
    """`get_events` returns a session's events in the order of their numbers."""

    @pytest.fixture
    def log(self, store: SessionStore) -> str:
        """Return a session with six events in reverse order of time; the store also has another session with one."""
        for session_id in ("ses_other", "ses_log"):
            store.save_session(a_session(id=session_id))
        store.append_event(an_event("ses_other", run_id="run_a", timestamp=at(0)))
        kinds = ["run_started", "message_sent", "message_sent", "run_completed", "run_started", "error_occurred"]
        runs = ["run_a", "run_a", "run_b", "run_a", "run_b", None]
        for place, (kind, run_id) in enumerate(zip(kinds, runs, strict=True)):
            store.append_event(an_event("ses_log", type=kind, run_id=run_id, timestamp=at(10 - place)))
        return "ses_log"

    @pytest.mark.guarantee("G6")
    def test_events_are_read_in_the_order_of_their_numbers(self, store: SessionStore, log: str) -> None:
        """Check the order of `find_events`, and at its filter by session."""
        assert numbers(store.get_events(log)) == [1, 2, 3, 4, 5, 6]

    def test_a_session_without_events_reads_none(self, store: SessionStore, session: Session) -> None:
        """Check `get_events`: an existing session without events is no error."""
        assert store.get_events(session.id) == []

    @pytest.mark.parametrize(
        ("run_id", "expected"),
        [
            ("run_a", [1, 2, 4]),
            (["run_a", "run_b"], [1, 2, 3, 4, 5]),
            (("run_b",), [3, 5]),
            ("run_unknown", []),
            ([], []),
        ],
    )
    def test_events_are_read_by_run(self, store: SessionStore, log: str, run_id: Any, expected: list[int]) -> None:
        """Check how `find_events` applies `run_ids`: any of them, in this session."""
        assert numbers(store.get_events(log, run_id=run_id)) == expected

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("message_sent", [2, 3]),
            (EventType.RUN_STARTED, [1, 5]),
            (["run_started", EventType.ERROR_OCCURRED], [1, 5, 6]),
            ("policy_violation", []),
            ([], []),
        ],
    )
    def test_events_are_read_by_type(self, store: SessionStore, log: str, kind: Any, expected: list[int]) -> None:
        """Check how `find_events` applies `types`: any of them."""
        assert numbers(store.get_events(log, type=kind)) == expected

    @pytest.mark.parametrize(
        ("since", "expected"),
        [
            (at(7), [1, 2, 3, 4]),
            (at(7) + MICROSECOND, [1, 2, 3]),
            (at(7) - MICROSECOND, [1, 2, 3, 4]),
            (at(7).astimezone(timezone(timedelta(hours=5, minutes=30))), [1, 2, 3, 4]),
            (at(11), []),
            (at(0), [1, 2, 3, 4, 5, 6]),
        ],
    )
    def test_events_since_a_time_include_that_time(
        self, store: SessionStore, log: str, since: Any, expected: list[int]
    ) -> None:
        """Check how `find_events` applies `since`: inclusive, to the microsecond, in any time zone."""
        assert numbers(store.get_events(log, since=since)) == expected

    @pytest.mark.parametrize(
        ("after", "expected"),
        [(0, [1, 2, 3, 4, 5, 6]), (1, [2, 3, 4, 5, 6]), (5, [6]), (6, []), (7, []), (2**63 - 1, [])],
    )
    def test_events_after_a_number_exclude_it(
        self, store: SessionStore, log: str, after: int, expected: list[int]
    ) -> None:
        """Check how `find_events` applies `after`: exclusive."""
        assert numbers(store.get_events(log, after=after)) == expected

    @pytest.mark.parametrize(
        ("before", "expected"),
        [(0, []), (1, []), (2, [1]), (6, [1, 2, 3, 4, 5]), (7, [1, 2, 3, 4, 5, 6]), (2**63 - 1, [1, 2, 3, 4, 5, 6])],
    )
    def test_events_before_a_number_exclude_it(
        self, store: SessionStore, log: str, before: int, expected: list[int]
    ) -> None:
        """Check how `find_events` applies `before`: exclusive."""
        assert numbers(store.get_events(log, before=before)) == expected

    @pytest.mark.parametrize(("after", "before", "expected"), [(1, 4, [2, 3]), (2, 3, []), (4, 2, [])])
    def test_after_and_before_cut_out_a_window(
        self, store: SessionStore, log: str, after: int, before: int, expected: list[int]
    ) -> None:
        """Check how `find_events` joins `after` and `before`: by and."""
        assert numbers(store.get_events(log, after=after, before=before)) == expected

    @pytest.mark.parametrize(("limit", "expected"), [(1, [1]), (5, [1, 2, 3, 4, 5]), (2**63 - 1, [1, 2, 3, 4, 5, 6])])
    def test_a_limit_keeps_the_first_events(
        self, store: SessionStore, log: str, limit: int, expected: list[int]
    ) -> None:
        """Check how `find_events` applies `limit`: it keeps the smallest numbers."""
        assert numbers(store.get_events(log, limit=limit)) == expected

    def test_all_filters_of_events_apply_together(self, store: SessionStore, log: str) -> None:
        """Check how `find_events` joins its conditions: by and, the limit last."""
        found = store.get_events(
            log,
            run_id=["run_a", "run_b"],
            type=["message_sent", "run_started"],
            since=at(6),
            after=1,
            before=6,
            limit=2,
        )
        assert numbers(found) == [2, 3]

    def test_pruned_events_leave_their_numbers_empty(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Look for a read that counts on numbers without gaps."""
        store.append_events(some_events(session, 6))
        maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=2))
        assert numbers(store.get_events(session.id)) == [5, 6]
        assert numbers(store.get_events(session.id, after=2, limit=1)) == [5]

    @pytest.mark.guarantee("G7")
    @pytest.mark.parametrize(
        "arguments", [{}, {"run_id": "run_a"}, {"run_id": []}, {"after": 3}, {"limit": 1}, {"wait_timeout": 60}]
    )
    def test_events_of_an_unknown_session_are_not_read(self, store: SessionStore, arguments: dict[str, Any]) -> None:
        """Check `get_events`: an unknown session is SessionNotFoundError at once, whatever the filters say."""
        with pytest.raises(SessionNotFoundError):
            store.get_events("ses_unknown", **arguments)
