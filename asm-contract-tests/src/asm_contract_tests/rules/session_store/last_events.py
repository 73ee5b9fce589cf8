"""Reading a log from its end, and a single event."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_event, at, numbers, some_events
from asm_core import (
    Maintenance,
    NotFoundError,
    QueryAPI,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
)


class LastEventsContract(Contract):
    """`get_events(order="desc")` reads from the last number, and `get_event` reads one event."""

    @pytest.fixture
    def long_log(self, store: SessionStore) -> str:
        """Return a session with six events, whose times decrease; the store also has two sessions around it."""
        for session_id in ("ses_after", "ses_log", "ses_before"):
            store.save_session(a_session(id=session_id))
            for place in range(6):
                kind = "message_sent" if place % 2 else "message_received"
                name = f"{session_id}_{place + 1}"
                store.append_event(an_event(session_id, id=name, type=kind, timestamp=at(10 - place)))
        return "ses_log"

    @pytest.mark.guarantee("G10")
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, [6, 5, 4, 3, 2, 1]),
            ({"limit": 2}, [6, 5]),
            ({"limit": 2**63 - 1}, [6, 5, 4, 3, 2, 1]),
            ({"limit": 2, "before": 5}, [4, 3]),
            ({"limit": 3, "after": 4}, [6, 5]),
            ({"after": 1, "before": 4}, [3, 2]),
            ({"type": "message_sent", "limit": 2}, [6, 4]),
            ({"since": at(8), "limit": 2}, [3, 2]),
            ({"before": 1}, []),
        ],
    )
    def test_the_last_events_are_read_by_number(
        self, store: SessionStore, long_log: str, filters: dict[str, Any], expected: list[int]
    ) -> None:
        """Check how `find_events` applies a descending order: by number, not by time, and before the limit."""
        assert numbers(store.get_events(long_log, order="desc", **filters)) == expected

    def test_the_last_events_are_right_after_pruning(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Look for a read that computes the last numbers from the counter or the first number."""
        events = [
            an_event(session, type="error_occurred" if place in {0, 4} else "message_streamed", timestamp=at(-place))
            for place in range(8)
        ]
        store.append_events(events)
        maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=3))
        left = numbers(store.get_events(session.id))
        assert len(left) == 3
        assert numbers(store.get_events(session.id, order="desc", limit=2)) == [left[2], left[1]]

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_a_limit_of_zero_reads_nothing(self, store: SessionStore, long_log: str, order: str) -> None:
        """Check `get_events`, `list_sessions` and `list_runs`: a limit of 0 is valid."""
        assert store.get_events(long_log, order=order, limit=0) == []
        assert store.list_sessions(limit=0) == []
        assert store.list_runs(long_log, limit=0) == []

    def test_an_event_after_which_to_read_is_checked_in_each_order(self, store: SessionStore, long_log: str) -> None:
        """Check `get_events`: an event as `after` excludes itself, in a descending order too."""
        first = store.get_events(long_log, limit=1)[0]
        assert numbers(store.get_events(long_log, after=first, order="desc", limit=5)) == [6, 5, 4, 3, 2]

    @pytest.mark.guarantee("G7")
    def test_the_last_events_of_an_unknown_session_are_not_read(self, store: SessionStore) -> None:
        """Check `get_events`: an unknown session is SessionNotFoundError, even with a limit of 0."""
        for limit in (0, 1):
            with pytest.raises(SessionNotFoundError):
                store.get_events("ses_unknown", order="desc", limit=limit)

    def test_an_event_is_read_by_its_session_and_id(self, store: SessionStore, long_log: str) -> None:
        """Check how `find_events` applies `ids` together with a session."""
        assert store.get_event("ses_log_4", session_id=long_log) == store.get_events(long_log)[3]

    @pytest.mark.requires("global_event_ids")
    def test_an_event_is_read_by_its_id(self, store: SessionStore, long_log: str) -> None:
        """Check how `find_events` applies `ids` alone."""
        assert store.get_event("ses_log_4") == store.get_events(long_log)[3]

    @pytest.mark.guarantee("G7")
    @pytest.mark.usefixtures("long_log")
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param({"event_id": "evt_unknown"}, marks=pytest.mark.requires("global_event_ids")),
            {"event_id": "evt_unknown", "session_id": "ses_log"},
            {"event_id": "ses_log_4", "session_id": "ses_after"},
            {"event_id": "ses_log_4", "session_id": "ses_unknown"},
        ],
    )
    def test_an_unknown_event_is_not_found(self, store: SessionStore, arguments: dict[str, Any]) -> None:
        """Check `get_event`: an id that is not stored, or not in the given session, is NotFoundError."""
        with pytest.raises(NotFoundError) as caught:
            store.get_event(**arguments)
        assert caught.value.details == {"session_id": None, **arguments}

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("long_log")
    @pytest.mark.parametrize("order", ["sequence_asc", "sequence_desc"])
    @pytest.mark.parametrize("session_ids", [None, ["ses_before", "ses_log"], ["ses_after", "ses_log", "ses_before"]])
    def test_pages_by_number_continue_in_the_next_session(
        self, query: QueryAPI, order: str, session_ids: list[str] | None
    ) -> None:
        """Look for a page that repeats or loses events where one log ends and the next begins."""
        whole = query.search_events(session_ids=session_ids, order_by=order).items
        found, cursor = [], None
        while True:
            page = query.search_events(session_ids=session_ids, order_by=order, limit=4, cursor=cursor)
            found += page.items
            if (cursor := page.cursor) is None:
                break
        assert found == whole
        assert len(whole) == 6 * len(session_ids or range(3))

    def test_events_that_were_just_appended_are_the_last(self, store: SessionStore, session: Session) -> None:
        """Look for a read of the end of a log from another place than the store writes to."""
        stored = store.append_events(some_events(session, 3))
        assert store.get_events(session.id, order="desc", limit=1) == stored[2:]
