"""Every listing that pages: three resources, each in all its orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from asm_contract_tests.making import a_run, a_session, an_event, at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core import Backend, Page, QueryAPI


class Listing(NamedTuple):
    """A method that lists, an order of it, and the key by which the items must come."""

    method: str
    order: str
    key: Callable[[Any], tuple[Any, ...]]

    def page(self, query: QueryAPI, **arguments: Any) -> Page[Any]:
        """Return a page in this order."""
        page: Page[Any] = getattr(query, self.method)(order_by=self.order, **arguments)
        return page

    def walk(self, query: QueryAPI, *, limit: int, **filters: Any) -> Iterator[Page[Any]]:
        """Yield all pages, one after the other."""
        page = self.page(query, limit=limit, **filters)
        yield page
        while page.cursor is not None:
            page = self.page(query, limit=limit, cursor=page.cursor, **filters)
            yield page

    def sorted(self, items: list[Any]) -> list[Any]:
        """Return the items as they must come."""
        return sorted(items, key=self.key, reverse=self.order.endswith("_desc"))


LATER_THAN_CREATED = {"a": at(2), "Z": at(1)}
"""The activity of the sessions of `store_ties` that have events after their creation."""

LISTINGS = [
    Listing("search_sessions", "created_at_asc", lambda session: (session.created_at, session.id)),
    Listing("search_sessions", "created_at_desc", lambda session: (session.created_at, session.id)),
    Listing("search_sessions", "updated_at_desc", lambda session: (session.updated_at, session.id)),
    Listing(
        "search_sessions",
        "active_at_desc",
        lambda session: (LATER_THAN_CREATED.get(session.id, session.created_at), session.id),
    ),
    Listing("search_runs", "started_at_asc", lambda run: (run.started_at, run.id)),
    Listing("search_runs", "started_at_desc", lambda run: (run.started_at, run.id)),
    Listing("search_runs", "token_usage_desc", lambda run: (run.total_tokens, run.id)),
    Listing("search_events", "sequence_asc", lambda event: (event.session_id, event.sequence_number)),
    Listing("search_events", "sequence_desc", lambda event: (event.session_id, event.sequence_number)),
    Listing("search_events", "timestamp_asc", lambda event: (event.timestamp, event.session_id, event.sequence_number)),
    Listing(
        "search_events", "timestamp_desc", lambda event: (event.timestamp, event.session_id, event.sequence_number)
    ),
]

each_listing = pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: f"{listing.method}-{listing.order}")

NAMES = ("b", "Z", "a", "_", "é", "10", "9")
"""Ids that sort by code point: neither by language, nor by number, nor in the order they are stored."""


def store_ties(backend: Backend) -> dict[str, list[Any]]:
    """Store seven sessions, runs and events with few distinct times; return them by the method that lists them."""
    store = backend.session_store
    seconds = (1, 0, 1, 2, 1, 0, 1)
    sessions = [
        store.save_session(a_session(id=name, created_at=at(second), updated_at=at(-second)))
        for name, second in zip(NAMES, seconds, strict=True)
    ]
    runs = [
        store.save_run(
            a_run("a", id=name, started_at=at(second), token_usage={"output_tokens": second} if second else {})
        )
        for name, second in zip(NAMES, seconds, strict=True)
    ]
    owners = ("b", "a", "b", "a", "Z", "a", "b")
    events = store.append_events(
        an_event(owner, timestamp=at(second)) for owner, second in zip(owners, seconds, strict=True)
    )
    return {"search_sessions": sessions, "search_runs": runs, "search_events": events}
