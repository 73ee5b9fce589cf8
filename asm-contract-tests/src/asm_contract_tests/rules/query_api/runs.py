"""Searching runs."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_run, a_session, at, ids, label, soft_deleted
from asm_core import QueryAPI, RunStatus, SessionStore


class SearchRunsContract(Contract):
    """`search_runs` filters and orders runs."""

    @pytest.fixture
    def stored_runs(self, store: SessionStore) -> None:
        """Store four runs in two sessions, r1 to r4 by start; one session is soft-deleted."""
        store.save_session(a_session(id="s1"))
        gone = store.save_session(a_session(id="s2"))
        usage: list[dict[str, int]] = [
            {"input_tokens": 10, "output_tokens": 20},
            {"input_tokens": 10, "output_tokens": 25, "total_tokens": 35},
            {},
            {"output_tokens": 30},
        ]
        statuses = ["running", "completed", "running", "failed"]
        providers = ["acme", "other", None, "acme"]
        for place in range(4):
            store.save_run(
                a_run(
                    "s1" if place < 3 else "s2",
                    id=f"r{place + 1}",
                    status=statuses[place],
                    provider=providers[place],
                    token_usage=usage[place],
                    started_at=at(place + 1),
                )
            )
        soft_deleted(store, gone)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, ["r1", "r2", "r3", "r4"]),
            ({"session_id": "s1"}, ["r1", "r2", "r3"]),
            ({"session_id": ["s1", "s2"]}, ["r1", "r2", "r3", "r4"]),
            ({"session_id": "unknown"}, []),
            ({"session_id": []}, []),
            ({"provider": "acme"}, ["r1", "r4"]),
            ({"provider": ("acme", "other")}, ["r1", "r2", "r4"]),
            ({"provider": "nobody"}, []),
            ({"provider": []}, []),
            ({"status": "running"}, ["r1", "r3"]),
            ({"status": [RunStatus.FAILED, "completed"]}, ["r2", "r4"]),
            ({"status": []}, []),
            ({"started_after": at(2)}, ["r3", "r4"]),
            ({"started_after": at(2) - MICROSECOND}, ["r2", "r3", "r4"]),
            ({"started_before": at(2)}, ["r1"]),
            ({"started_before": at(2) + MICROSECOND}, ["r1", "r2"]),
            ({"min_tokens": 0}, ["r1", "r2", "r3", "r4"]),
            ({"min_tokens": 1}, ["r1", "r2", "r4"]),
            ({"min_tokens": 30}, ["r1", "r2", "r4"]),
            ({"min_tokens": 31}, ["r2"]),
            ({"min_tokens": 36}, []),
            ({"min_tokens": 2**63 - 1}, []),
            ({"session_id": "s1", "provider": "acme", "status": "running", "min_tokens": 30}, ["r1"]),
            ({"session_id": "s2", "status": "running"}, []),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("stored_runs")
    def test_runs_are_searched_by_each_filter(
        self, query: QueryAPI, filters: dict[str, Any], expected: list[str]
    ) -> None:
        """Check how `find_runs` applies the filter: any of several values, all filters together."""
        assert ids(query.search_runs(order_by="started_at_asc", **filters)) == expected

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ("started_at_asc", ["r1", "r2", "r3", "r4"]),
            ("started_at_desc", ["r4", "r3", "r2", "r1"]),
            ("token_usage_desc", ["r2", "r4", "r1", "r3"]),
        ],
    )
    @pytest.mark.usefixtures("stored_runs")
    def test_runs_come_in_the_order_asked_for(self, query: QueryAPI, order: str, expected: list[str]) -> None:
        """Check how `find_runs` turns the order's key into a sort; tokens are the total, ids break ties."""
        assert ids(query.search_runs(order_by=order)) == expected

    @pytest.mark.usefixtures("stored_runs")
    def test_runs_come_newest_first_if_nothing_else_is_asked(self, query: QueryAPI) -> None:
        """Check the default of `order_by`."""
        assert query.search_runs() == query.search_runs(order_by="started_at_desc")

    @pytest.mark.usefixtures("stored_runs")
    def test_pages_of_runs_are_not_counted(self, query: QueryAPI) -> None:
        """Check `search_runs`: its pages have no `total_count`."""
        assert query.search_runs().total_count is None

    def test_a_search_of_an_empty_store_finds_no_runs(self, query: QueryAPI) -> None:
        """Check `search_runs` for a store without any."""
        page = query.search_runs()
        assert (page.items, page.cursor) == ([], None)

    @pytest.mark.guarantee("G6")
    def test_a_search_by_tokens_sees_what_a_run_used_last(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for token counts that `_save_run` does not update with the rest."""
        run = store.save_run(a_run(store.save_session(a_session()), token_usage={"output_tokens": 5}))
        store.save_run(run.add_token_usage({"output_tokens": 5}))
        assert ids(query.search_runs(min_tokens=10)) == [run.id]
