"""Paging through listings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, at, ids
from asm_contract_tests.rules.query_api.listings import Listing, each_listing, store_ties

if TYPE_CHECKING:
    from asm_core import Backend, QueryAPI, SessionStore


class PagingContract(Contract):
    """Pages follow each other by key: no item is skipped or repeated, whatever is written between pages."""

    @pytest.fixture
    def ties(self, backend: Backend) -> dict[str, list[Any]]:
        """Return seven stored items of each listing, by its method, many of them at the same place but for the id."""
        return store_ties(backend)

    @pytest.mark.guarantee("G10")
    @each_listing
    def test_ties_come_in_the_order_of_the_whole_key(
        self, query: QueryAPI, ties: dict[str, list[Any]], listing: Listing
    ) -> None:
        """Check the sort: every part of the key the same way round, text by code point."""
        assert listing.page(query).items == listing.sorted(ties[listing.method])

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_pages_together_are_the_whole(self, query: QueryAPI, ties: dict[str, list[Any]], listing: Listing) -> None:
        """Check how the primitive continues from `after_key`: after the whole key, ties included."""
        whole = listing.sorted(ties[listing.method])
        for limit in (1, 2, 3, 6):
            pages = [page.items for page in listing.walk(query, limit=limit)]
            assert pages == [whole[place : place + limit] for place in range(0, len(whole), limit)]

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("ties")
    @each_listing
    def test_a_page_that_holds_the_last_item_has_no_cursor(self, query: QueryAPI, listing: Listing) -> None:
        """Check how many items the primitive gives: never more than `limit`, and not one that is not there."""
        for limit in (7, 8, 2**63 - 2, 2**63 - 1):
            page = listing.page(query, limit=limit)
            assert (limit, len(page), page.cursor) == (limit, 7, None)

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_filters_hold_on_every_page(self, query: QueryAPI, ties: dict[str, list[Any]], listing: Listing) -> None:
        """Look for an `after_key` that takes the place of the filters, or is joined with them by or."""
        if listing.method == "search_sessions":
            filters: dict[str, Any] = {"created_after": at(0), "created_before": at(2)}
            expected = [item for item in ties[listing.method] if item.created_at == at(1)]
        elif listing.method == "search_runs":
            filters = {"started_after": at(0), "started_before": at(2)}
            expected = [item for item in ties[listing.method] if item.started_at == at(1)]
        else:
            filters = {"since": at(1), "until": at(2)}
            expected = [item for item in ties[listing.method] if item.timestamp == at(1)]
        found = [item for page in listing.walk(query, limit=1, **filters) for item in page]
        assert found == listing.sorted(expected)

    @pytest.mark.guarantee("G14")
    @each_listing
    def test_what_is_stored_meanwhile_moves_no_page(
        self, store: SessionStore, query: QueryAPI, ties: dict[str, list[Any]], listing: Listing
    ) -> None:
        """Look for pages by offset: an item stored in front of the cursor must not push another onto the next page."""
        seen = []
        for page in listing.walk(query, limit=2):
            seen += ids(page)
            name = f"new{len(seen)}"
            for second in (-9, 9) if len(seen) < 8 else ():
                store.save_session(a_session(id=f"{name}{second}", created_at=at(second), updated_at=at(second)))
                tokens = {"output_tokens": 9 + second}
                store.save_run(a_run("a", id=f"{name}{second}", started_at=at(second), token_usage=tokens))
                # An event in an old session would change its place among sessions.
                owner = f"{name}{second}" if listing.method == "search_sessions" else "Z"
                store.append_event(an_event(owner, id=f"{name}{second}", timestamp=at(second)))
        old = [item.id for item in listing.sorted(ties[listing.method])]
        assert [name for name in seen if not name.startswith("new")] == old
        assert len(set(seen)) == len(seen)

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("ties")
    @each_listing
    def test_a_cursor_outlives_the_item_it_was_made_of(
        self, store: SessionStore, query: QueryAPI, listing: Listing
    ) -> None:
        """Look for a cursor that needs its item: it holds a place, not a row."""
        whole = [item.id for item in listing.page(query)]
        first = listing.page(query, limit=3)
        last = first.items[-1]
        owner = last.id if listing.method == "search_sessions" else last.session_id
        gone = [item.id for item in listing.page(query) if owner in {item.id, getattr(item, "session_id", None)}]
        store.delete_session(owner)
        rest = listing.page(query, cursor=first.cursor)
        assert ids(rest) == [name for name in whole[3:] if name not in gone]

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("ties")
    @each_listing
    def test_a_cursor_may_be_used_again(self, query: QueryAPI, listing: Listing) -> None:
        """Look for a cursor that is a thing of the server, gone once used."""
        cursor = listing.page(query, limit=2).cursor
        assert listing.page(query, limit=2, cursor=cursor) == listing.page(query, limit=2, cursor=cursor)

    @pytest.mark.usefixtures("ties")
    @each_listing
    def test_a_cursor_goes_on_with_any_limit(self, query: QueryAPI, listing: Listing) -> None:
        """Look for a limit that is kept in the cursor."""
        whole = ids(listing.page(query))
        cursor = listing.page(query, limit=2).cursor
        assert ids(listing.page(query, limit=4, cursor=cursor)) == whole[2:6]

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("ties")
    @each_listing
    def test_a_cursor_of_one_handle_is_good_on_another(
        self, query: QueryAPI, other_backend: Backend, listing: Listing
    ) -> None:
        """Look for a cursor that depends on the process or handle that made it."""
        cursor = listing.page(query, limit=2).cursor
        assert listing.page(other_backend.query_api, cursor=cursor).items == listing.page(query).items[2:]
