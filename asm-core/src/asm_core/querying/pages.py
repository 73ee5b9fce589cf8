"""Pages of a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from asm_core.querying.cursors import encode_cursor
from asm_core.values.schemas import Described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.querying.queries import Order, RunQuery, SessionQuery

T = TypeVar("T")
Q = TypeVar("Q", "SessionQuery", "RunQuery")


class Page(Described, Generic[T], frozen=True, kw_only=True):
    """One page of a listing.

    Attributes:
        items: the items, in the requested order.
        cursor: the cursor of the next page; None on the last page.
        total_count: the number of items on all pages, for sessions if the caller asked for it; otherwise None.
    """

    items: list[T]
    cursor: str | None = None
    total_count: int | None = None

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items of this page."""
        return iter(self.items)

    def __len__(self) -> int:
        """Return the number of items on this page."""
        return len(self.items)

    @classmethod
    def rebuilt(cls, source: Any, fields: Any) -> Any:
        """Rebuild a page of checked items."""
        page = super().rebuilt(source, fields)
        return msgspec.structs.replace(
            page, items=[getattr(item, "checked", lambda item=item: item)() for item in page]
        )


def all_items(search: Callable[..., Page[T]], **filters: Any) -> Iterator[T]:
    """Yield the items of all pages of a search, with one page in memory at a time."""
    cursor = None
    while True:
        page = search(**filters, cursor=cursor)
        yield from page
        cursor = page.cursor
        if cursor is None:
            return


def pages(find: Callable[[Q], list[T]], query: Q) -> Iterator[list[T]]:
    """Yield what a primitive finds for a query with a limit, each page after the key of the last item before it."""
    while page := find(query):
        yield page
        query = msgspec.structs.replace(query, after_key=query.order.key_of(page[-1]))


def cut_page(resource: str, order: Order, found: list[T], limit: int) -> Page[T]:
    """Return a page of the first `limit` items of `found`; a further item means that another page follows."""
    items = found[:limit]
    cursor = encode_cursor(resource, order, order.key_of(items[-1])) if len(found) > limit else None
    return Page(items=items, cursor=cursor)
