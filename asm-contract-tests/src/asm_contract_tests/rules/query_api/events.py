"""Searching and counting events."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_session, an_event, at, ids, label, soft_deleted
from asm_core import EventType, QueryAPI, SessionStore


class SearchEventsContract(Contract):
    """`search_events` filters and orders events across sessions; `count_events` counts them."""

    @pytest.fixture
    def stored_events(self, store: SessionStore) -> None:
        """Store e1 to e5, by session and number; their times cross, and one session is soft-deleted."""
        store.save_session(a_session(id="s1"))
        gone = store.save_session(a_session(id="s2"))
        rows = [
            ("e4", "s2", "run_started", "r2", "other", "c1", 1),
            ("e1", "s1", "run_started", "r1", "acme", "c1", 2),
            ("e5", "s2", "run_failed", "r2", "acme", None, 2),
            ("e2", "s1", "message_sent", "r1", "acme", "c2", 3),
            ("e3", "s1", "message_sent", None, None, None, 0),
        ]
        for event_id, session_id, kind, run_id, provider, correlation_id, second in rows:
            store.append_event(
                an_event(
                    session_id,
                    id=event_id,
                    type=kind,
                    run_id=run_id,
                    provider=provider,
                    correlation_id=correlation_id,
                    timestamp=at(second),
                )
            )
        soft_deleted(store, gone)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, ["e1", "e2", "e3", "e4", "e5"]),
            ({"session_ids": "s1"}, ["e1", "e2", "e3"]),
            ({"session_ids": ["s2", "s1"]}, ["e1", "e2", "e3", "e4", "e5"]),
            ({"session_ids": ["unknown", "s2"]}, ["e4", "e5"]),
            ({"session_ids": "unknown"}, []),
            ({"session_ids": []}, []),
            ({"run_ids": "r1"}, ["e1", "e2"]),
            ({"run_ids": ("r1", "r2")}, ["e1", "e2", "e4", "e5"]),
            ({"run_ids": []}, []),
            ({"types": "message_sent"}, ["e2", "e3"]),
            ({"types": [EventType.RUN_FAILED, "run_started"]}, ["e1", "e4", "e5"]),
            ({"types": []}, []),
            ({"providers": "acme"}, ["e1", "e2", "e5"]),
            ({"providers": ["acme", "other"]}, ["e1", "e2", "e4", "e5"]),
            ({"providers": []}, []),
            ({"correlation_id": "c1"}, ["e1", "e4"]),
            ({"correlation_id": ["c1", "c2"]}, ["e1", "e2", "e4"]),
            ({"correlation_id": []}, []),
            ({"since": at(2)}, ["e1", "e2", "e5"]),
            ({"since": at(2) + MICROSECOND}, ["e2"]),
            ({"until": at(2)}, ["e3", "e4"]),
            ({"until": at(2) + MICROSECOND}, ["e1", "e3", "e4", "e5"]),
            ({"since": at(1), "until": at(3)}, ["e1", "e4", "e5"]),
            ({"since": at(3), "until": at(1)}, []),
            ({"session_ids": "s1", "run_ids": "r1", "types": "run_started", "providers": "acme"}, ["e1"]),
            ({"session_ids": "s1", "run_ids": "r2"}, []),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("stored_events")
    def test_events_are_searched_and_counted_by_each_filter(
        self, query: QueryAPI, filters: dict[str, Any], expected: list[str]
    ) -> None:
        """Check how `find_events` and `_count_events` apply the filter: any of several values, all filters."""
        assert ids(query.search_events(**filters)) == expected
        assert query.count_events(**filters) == len(expected)

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ("sequence_asc", ["e1", "e2", "e3", "e4", "e5"]),
            ("sequence_desc", ["e5", "e4", "e3", "e2", "e1"]),
            ("timestamp_asc", ["e3", "e4", "e1", "e5", "e2"]),
            ("timestamp_desc", ["e2", "e5", "e1", "e4", "e3"]),
        ],
    )
    @pytest.mark.usefixtures("stored_events")
    def test_events_come_in_the_order_asked_for(self, query: QueryAPI, order: str, expected: list[str]) -> None:
        """Check how `find_events` turns the order's key into a sort: session and number break ties."""
        assert ids(query.search_events(order_by=order)) == expected

    @pytest.mark.usefixtures("stored_events")
    def test_events_come_by_number_if_nothing_else_is_asked(self, query: QueryAPI) -> None:
        """Check the default of `order_by`."""
        assert query.search_events() == query.search_events(order_by="sequence_asc")

    @pytest.mark.usefixtures("stored_events")
    def test_pages_of_events_are_not_counted(self, query: QueryAPI) -> None:
        """Check `search_events`: its pages have no `total_count`."""
        assert query.search_events().total_count is None

    @pytest.mark.guarantee("G6")
    @pytest.mark.usefixtures("stored_events")
    def test_a_search_sees_what_was_just_appended(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for a search that reads from another place than the store writes to."""
        store.append_event(an_event("s1", id="e6", timestamp=at(9)))
        assert ids(query.search_events(order_by="timestamp_desc", limit=1)) == ["e6"]
        assert query.count_events() == 6

    def test_a_search_of_an_empty_store_finds_no_events(self, query: QueryAPI) -> None:
        """Check `search_events` and `count_events` for a store without any."""
        page = query.search_events()
        assert (page.items, page.cursor, query.count_events()) == ([], None, 0)
