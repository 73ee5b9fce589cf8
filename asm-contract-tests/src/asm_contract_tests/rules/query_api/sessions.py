"""Searching sessions."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_run, a_session, at, ids, label, soft_deleted
from asm_core import QueryAPI, SessionStatus, SessionStore

EVERY_ORDER = ("created_at_asc", "created_at_desc", "updated_at_desc", "active_at_desc")


class SearchSessionsContract(Contract):
    """`search_sessions` filters, orders and counts sessions."""

    @pytest.fixture
    def stored_sessions(self, store: SessionStore) -> None:
        """Store four live sessions and a deleted one: s1 to s4 by creation, in the reverse order by last change."""
        tags: list[tuple[str, ...]] = [("red",), ("red", "blue"), ("blue", "red", "green"), ()]
        statuses = ["active", "paused", "active", "failed"]
        for place in range(4):
            store.save_session(
                a_session(
                    id=f"s{place + 1}",
                    agent_id="reader" if place < 2 else "writer",
                    status=statuses[place],
                    tags=tags[place],
                    created_at=at(place + 1),
                    updated_at=at(10 - place),
                )
            )
        for run_id, session_id, provider in [("r1", "s1", "acme"), ("r2", "s1", "acme"), ("r3", "s2", "other")]:
            store.save_run(a_run(session_id, id=run_id, provider=provider))
        soft_deleted(store, a_session(id="gone", agent_id="reader", tags=("red",), created_at=at(0)))

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, ["s1", "s2", "s3", "s4"]),
            ({"agent_id": "reader"}, ["s1", "s2"]),
            ({"agent_id": ["reader", "writer"]}, ["s1", "s2", "s3", "s4"]),
            ({"agent_id": "nobody"}, []),
            ({"agent_id": []}, []),
            ({"status": "active"}, ["s1", "s3"]),
            ({"status": (SessionStatus.PAUSED, "failed")}, ["s2", "s4"]),
            ({"status": []}, []),
            ({"provider": "acme"}, ["s1"]),
            ({"provider": ["acme", "other"]}, ["s1", "s2"]),
            ({"provider": "nobody"}, []),
            ({"provider": []}, []),
            ({"created_after": at(2)}, ["s3", "s4"]),
            ({"created_after": at(2) - MICROSECOND}, ["s2", "s3", "s4"]),
            ({"created_before": at(2)}, ["s1"]),
            ({"created_before": at(2) + MICROSECOND}, ["s1", "s2"]),
            ({"created_after": at(1), "created_before": at(3)}, ["s2"]),
            ({"created_after": at(3), "created_before": at(1)}, []),
            ({"include_deleted": True}, ["gone", "s1", "s2", "s3", "s4"]),
            ({"include_deleted": True, "agent_id": "reader", "tags": ["red"]}, ["gone", "s1", "s2"]),
            ({"agent_id": "reader", "status": "active", "provider": "acme", "tags": "red"}, ["s1"]),
            ({"agent_id": "writer", "provider": "acme"}, []),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("stored_sessions")
    def test_sessions_are_searched_by_each_filter(
        self, query: QueryAPI, filters: dict[str, Any], expected: list[str]
    ) -> None:
        """Check how `find_sessions` and `_count_sessions` apply the filter: any of several values, all filters."""
        page = query.search_sessions(order_by="created_at_asc", count=True, **filters)
        assert ids(page.items) == expected
        assert page.total_count == len(expected)

    @pytest.mark.parametrize(
        ("tags", "expected"),
        [
            ("red", ["s1", "s2", "s3"]),
            (["red"], ["s1", "s2", "s3"]),
            (["red", "blue"], ["s2", "s3"]),
            (("green", "blue", "red"), ["s3"]),
            (["red", "unknown"], []),
            ("re", []),
            ("Red", []),
            ([], ["s1", "s2", "s3", "s4"]),
        ],
        ids=label,
    )
    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("stored_sessions")
    def test_sessions_carry_all_the_tags_searched_for(self, query: QueryAPI, tags: Any, expected: list[str]) -> None:
        """Check how `find_sessions` and `_count_sessions` apply `tags`: all of them, each exactly."""
        page = query.search_sessions(tags=tags, order_by="created_at_asc", count=True)
        assert ids(page.items) == expected
        assert page.total_count == len(expected)

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ("created_at_asc", ["s1", "s2", "s3", "s4"]),
            ("created_at_desc", ["s4", "s3", "s2", "s1"]),
            ("updated_at_desc", ["s1", "s2", "s3", "s4"]),
            ("active_at_desc", ["s4", "s3", "s2", "s1"]),
        ],
    )
    @pytest.mark.usefixtures("stored_sessions")
    def test_sessions_come_in_the_order_asked_for(self, query: QueryAPI, order: str, expected: list[str]) -> None:
        """Check how `find_sessions` turns the order's key into a sort."""
        assert ids(query.search_sessions(order_by=order)) == expected

    @pytest.mark.guarantee("G14")
    @pytest.mark.parametrize("order", EVERY_ORDER)
    @pytest.mark.usefixtures("stored_sessions")
    def test_every_page_counts_all_sessions(self, query: QueryAPI, order: str) -> None:
        """Check `_count_sessions`: neither the page, nor its limit, nor the cursor changes the count."""
        filters: dict[str, Any] = {"tags": "red", "order_by": order, "limit": 2, "count": True}
        first = query.search_sessions(**filters)
        second = query.search_sessions(cursor=first.cursor, **filters)
        assert (first.total_count, second.total_count) == (3, 3)
        assert (len(first), len(second)) == (2, 1)

    @pytest.mark.usefixtures("stored_sessions")
    def test_a_session_with_several_runs_is_found_once(self, query: QueryAPI) -> None:
        """Look for a join with runs in `find_sessions` or `_count_sessions` that multiplies sessions."""
        page = query.search_sessions(provider=["acme"], limit=5, count=True)
        assert (ids(page.items), page.total_count) == (["s1"], 1)

    def test_a_search_of_an_empty_store_finds_no_sessions(self, query: QueryAPI) -> None:
        """Check `search_sessions` for a store without any: an empty page, counted, without a cursor."""
        page = query.search_sessions(count=True)
        assert (page.items, page.total_count, page.cursor) == ([], 0, None)
