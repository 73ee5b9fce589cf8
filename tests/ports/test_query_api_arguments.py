"""Arguments that the ports refuse, whatever the adapter: the checks are core's."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from on_memory import OnMemory

from asm_contract_tests.making import at, label
from asm_contract_tests.rules.query_api.listings import LISTINGS, Listing, each_listing, store_ties
from asm_core import (
    Backend,
    InvalidCursorError,
    InvalidEventTypeError,
    InvalidStatusError,
    QueryAPI,
    ValidationError,
)

NO_CURSORS: list[Any] = [
    "",
    " ",
    "x",
    "====",
    "nonsense",
    "\0",
    "\ud800",
    "🙂",
    "A" * 100_000,
    base64.urlsafe_b64encode(json.dumps([1, "sessions", "created_at_asc", ["2026-01-01", "a"]]).encode()).decode(),
    "' OR 1=1 --",
    1,
    b"bytes",
    ["list"],
    True,
]


class TestQueryAPIArguments(OnMemory):
    @pytest.fixture
    def cursors(self, backend: Backend) -> dict[tuple[str, str], str]:
        """Return a cursor of each listing, by its method and order."""
        store_ties(backend)
        pages = {(one.method, one.order): one.page(backend.query_api, limit=3) for one in LISTINGS}
        return {name: page.cursor for name, page in pages.items() if page.cursor}

    @pytest.mark.parametrize(
        "prices",
        [
            1,
            [],
            {"acme": 1},
            {"acme": {"big": 1}},
            {"acme": {"big": {"input": 1}}},
            {"acme": {"big": {"input": "cheap", "output": 1}}},
            {"acme": {"big": {"input": "NaN", "output": 1}}},
            {"acme": {"big": {"input": 1, "output": Decimal("Infinity")}}},
            {1: {}},
        ],
        ids=label,
    )
    def test_a_senseless_pricing_table_is_refused(self, query: QueryAPI, prices: Any) -> None:
        """Check `get_cost_summary`: the table has a shape, and prices are numbers."""
        with pytest.raises(ValidationError):
            query.get_cost_summary(pricing_table=prices)

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_a_cursor_of_another_listing_is_refused(
        self, query: QueryAPI, cursors: dict[tuple[str, str], str], listing: Listing
    ) -> None:
        """Check `decode_cursor`: a cursor belongs to one resource and one order."""
        foreign = {name: cursor for name, cursor in cursors.items() if name != (listing.method, listing.order)}
        assert len(foreign) == len(LISTINGS) - 1
        for cursor in foreign.values():
            with pytest.raises(InvalidCursorError):
                listing.page(query, cursor=cursor)

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_a_cursor_altered_at_any_place_is_refused(
        self, query: QueryAPI, cursors: dict[tuple[str, str], str], listing: Listing
    ) -> None:
        """Check the checksum of cursors: a changed, lost or added character anywhere must be detected."""
        cursor = cursors[listing.method, listing.order]
        for place, character in enumerate(cursor):
            others = [other for other in "A_z9" if other != character]
            for altered in (*others, "", character * 2, "é", "\0"):
                with pytest.raises(InvalidCursorError):
                    listing.page(query, cursor=cursor[:place] + altered + cursor[place + 1 :])

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_a_piece_of_a_cursor_is_refused(
        self, query: QueryAPI, cursors: dict[tuple[str, str], str], listing: Listing
    ) -> None:
        """Check `decode_cursor`: a truncated cursor is invalid."""
        cursor = cursors[listing.method, listing.order]
        for place in range(len(cursor)):
            with pytest.raises(InvalidCursorError):
                listing.page(query, cursor=cursor[:place])
            if place:
                with pytest.raises(InvalidCursorError):
                    listing.page(query, cursor=cursor[place:])

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_what_is_no_cursor_is_refused(self, query: QueryAPI, listing: Listing) -> None:
        """Check `decode_cursor`: anything but a cursor is InvalidCursorError."""
        for cursor in NO_CURSORS:
            with pytest.raises(InvalidCursorError):
                listing.page(query, cursor=cursor)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"session_ids": ""},
            {"session_ids": [None]},
            {"run_ids": 1},
            {"providers": "\0"},
            {"correlation_id": ["\ud800"]},
            {"since": at(0).replace(tzinfo=None)},
            {"until": "now"},
            {"order_by": "sequence"},
            {"order_by": "started_at_asc"},
            {"limit": 0},
            {"limit": "1"},
        ],
        ids=label,
    )
    def test_senseless_arguments_of_a_search_for_events_are_refused(
        self, query: QueryAPI, arguments: dict[str, Any]
    ) -> None:
        """Check `search_events`: each argument is checked before the store is asked."""
        with pytest.raises(ValidationError):
            query.search_events(**arguments)

    @pytest.mark.parametrize("arguments", [{"session_ids": ""}, {"since": 1}, {"providers": [None]}], ids=label)
    def test_senseless_arguments_of_a_count_are_refused(self, query: QueryAPI, arguments: dict[str, Any]) -> None:
        """Check `count_events`: each argument is checked before the store is asked."""
        with pytest.raises(ValidationError):
            query.count_events(**arguments)

    def test_an_unknown_type_is_not_searched_for(self, query: QueryAPI) -> None:
        """Check `search_events` and `count_events`: each type must be one of those that exist."""
        with pytest.raises(InvalidEventTypeError):
            query.search_events(types=["message_sent", "daydreamed"])
        with pytest.raises(InvalidEventTypeError):
            query.count_events(types="daydreamed")

    @pytest.mark.parametrize(
        "arguments",
        [
            {"session_id": ""},
            {"provider": [1]},
            {"started_after": at(0).replace(tzinfo=None)},
            {"started_before": 0},
            {"min_tokens": -1},
            {"min_tokens": True},
            {"min_tokens": 0.5},
            {"order_by": "updated_at_desc"},
            {"order_by": ["started_at_asc"]},
            {"limit": 0},
            {"limit": 1.0},
        ],
        ids=label,
    )
    def test_senseless_arguments_of_a_search_for_runs_are_refused(
        self, query: QueryAPI, arguments: dict[str, Any]
    ) -> None:
        """Check `search_runs`: each argument is checked before the store is asked."""
        with pytest.raises(ValidationError):
            query.search_runs(**arguments)

    def test_a_status_of_a_session_is_none_of_a_run(self, query: QueryAPI) -> None:
        """Check `search_runs`: each status must be one of a run's."""
        with pytest.raises(InvalidStatusError):
            query.search_runs(status="paused")

    @pytest.mark.parametrize(
        "arguments",
        [
            {"agent_id": ""},
            {"agent_id": [None]},
            {"provider": "\0"},
            {"tags": [""]},
            {"tags": 1},
            {"created_after": at(0).replace(tzinfo=None)},
            {"created_before": "yesterday"},
            {"order_by": "id_asc"},
            {"order_by": "timestamp_asc"},
            {"order_by": None},
            {"limit": 0},
            {"limit": None},
            {"limit": True},
            {"limit": 2**63},
        ],
        ids=label,
    )
    def test_senseless_arguments_of_a_search_for_sessions_are_refused(
        self, query: QueryAPI, arguments: dict[str, Any]
    ) -> None:
        """Check `search_sessions`: each argument is checked before the store is asked."""
        with pytest.raises(ValidationError):
            query.search_sessions(**arguments)

    def test_a_status_of_a_run_is_none_of_a_session(self, query: QueryAPI) -> None:
        """Check `search_sessions`: each status must be one of a session's."""
        with pytest.raises(InvalidStatusError):
            query.search_sessions(status=["active", "running"])

    @pytest.mark.parametrize(
        "arguments",
        [
            {"session_id": ""},
            {"agent_id": 1},
            {"provider": [None]},
            {"since": at(0).replace(tzinfo=None)},
            {"until": 1},
        ],
        ids=label,
    )
    def test_senseless_arguments_of_a_summary_are_refused(self, query: QueryAPI, arguments: dict[str, Any]) -> None:
        """Check `get_usage_summary` and `get_cost_summary`: each argument is checked."""
        with pytest.raises(ValidationError):
            query.get_usage_summary(**arguments)
        with pytest.raises(ValidationError):
            query.get_cost_summary(**arguments)
