"""Pages of a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from asm_core.querying.cursors import encode_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.querying.queries import Order

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a listing.

    Attributes:
        items: what is on it, in the order asked for.
        cursor: what to pass to get the next page; None on the last.
        total_count: how many items all pages have together, where the listing says so (sessions).
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


def all_items(search: Callable[..., Page[T]], **filters: Any) -> Iterator[T]:
    """Yield what all pages of a search hold; one page is held at a time."""
    cursor = None
    while True:
        page = search(**filters, cursor=cursor)
        yield from page
        cursor = page.cursor
        if cursor is None:
            return


def cut_page(resource: str, order: Order, found: list[T], limit: int, total_count: int | None = None) -> Page[T]:
    """Return the page of the first `limit` of `found`; one item more than that tells that another page follows."""
    items = found[:limit]
    cursor = encode_cursor(resource, order, order.key_of(items[-1])) if len(found) > limit else None
    return Page(items=items, cursor=cursor, total_count=total_count)
