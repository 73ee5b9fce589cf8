"""Cursors that no listing returned."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import at
from asm_contract_tests.rules.query_api.listings import LISTINGS, Listing, each_listing, store_ties
from asm_core import AsmError, Backend
from asm_core.querying.cursors import encode_cursor
from asm_core.querying.queries import EVENT_ORDERS, RUN_ORDERS, SESSION_ORDERS

FORGED: list[tuple[str, str, tuple[Any, ...]]] = [
    ("sessions", "created_at_asc", (at(0).replace(tzinfo=None), "a")),
    ("sessions", "created_at_asc", (1, "a")),
    ("sessions", "created_at_asc", (at(0),)),
    ("sessions", "created_at_asc", (at(0), "a", "b")),
    ("sessions", "created_at_asc", (at(0), None)),
    ("sessions", "created_at_asc", (at(0), "nul\0")),
    ("sessions", "created_at_asc", (at(0), "'; DROP TABLE asm_sessions; --")),
    ("sessions", "created_at_asc", (at(0), "x" * 4000)),
    ("sessions", "created_at_asc", ("0001-01-01T00:00:00+23:59", "a")),
    ("sessions", "created_at_asc", ("9999-12-31T23:59:59.999999-23:59", "a")),
    ("sessions", "created_at_asc", ({}, [])),
    ("runs", "token_usage_desc", (10**30, "a")),
    ("runs", "token_usage_desc", (2**63, "a")),
    ("runs", "token_usage_desc", (-1, "a")),
    ("runs", "token_usage_desc", (1.5, "a")),
    ("runs", "token_usage_desc", (True, "a")),
    ("runs", "token_usage_desc", ("1", "a")),
    ("events", "sequence_asc", ("a", -(2**70))),
    ("events", "sequence_asc", ("a", "1")),
    ("events", "timestamp_desc", (at(0), "a", None)),
]


def forged(resource: str, order: str, key: tuple[Any, ...]) -> str:
    """Return a cursor with a valid checksum, and a key that no listing returns."""
    orders = {"sessions": SESSION_ORDERS, "runs": RUN_ORDERS, "events": EVENT_ORDERS}
    return encode_cursor(resource, orders[resource][order], key)


class CursorsContract(Contract):
    """A cursor is valid only unchanged, and for the resource and order of its listing."""

    @pytest.fixture
    def cursors(self, backend: Backend) -> dict[tuple[str, str], str]:
        """Return a cursor of each listing, by its method and order."""
        store_ties(backend)
        pages = {(one.method, one.order): one.page(backend.query_api, limit=3) for one in LISTINGS}
        return {name: page.cursor for name, page in pages.items() if page.cursor}

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_a_cursor_is_plain_text(self, cursors: dict[tuple[str, str], str], listing: Listing) -> None:
        """Check `encode_cursor`: a cursor goes into URLs as it is."""
        assert set(cursors[listing.method, listing.order]) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )

    @pytest.mark.guarantee("G15")
    def test_a_forged_cursor_is_refused_or_harmless(self, backend: Backend) -> None:
        """Check what reaches the database from a cursor's key: its error must not be that of a driver.

        The checksum of a cursor can be forged, so its key is an input like any other.
        """
        store_ties(backend)
        for resource, order, key in FORGED:
            search = getattr(backend.query_api, f"search_{resource}")
            whole = search(order_by=order).items
            try:
                items = search(order_by=order, cursor=forged(resource, order, key)).items
            except AsmError:
                items = []
            assert (key, [item for item in items if item not in whole]) == (key, [])
            assert search(order_by=order).items == whole
