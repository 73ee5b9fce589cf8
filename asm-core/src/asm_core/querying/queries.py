"""Questions to a backend: checked, neutral, and the same for every ORM.

The ports build these from their callers' arguments. In each of them None is no filter, and a tuple means any of its
members (never empty: the ports answer a filter that allows nothing themselves).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from asm_core.errors import ValidationError, shown
from asm_core.models import EventType, RunStatus, SessionStatus
from asm_core.models.base import check_natural

T = TypeVar("T")

MAX_CHOICES: Final = 10_000
"""How many values a filter, or a batch of maintenance, may name: what every database takes in one statement."""


class Order(msgspec.Struct, frozen=True):
    """A total order, by which a listing is sorted and paged.

    Attributes:
        name: what callers call it.
        key: the fields it sorts by; together they are unique.
        descending: whether every one of them sorts downwards.
    """

    name: str
    key: tuple[str, ...]
    descending: bool

    def key_of(self, item: object) -> tuple[Any, ...]:
        """Return where `item` stands in this order."""
        return tuple([getattr(item, field) for field in self.key])


def _orders(**keys: tuple[str, ...]) -> dict[str, Order]:
    return {name: Order(name, key, name.endswith("_desc")) for name, key in keys.items()}


SESSION_ORDERS: Final = _orders(
    created_at_asc=("created_at", "id"),
    created_at_desc=("created_at", "id"),
    updated_at_desc=("updated_at", "id"),
)
RUN_ORDERS: Final = _orders(
    started_at_asc=("started_at", "id"),
    started_at_desc=("started_at", "id"),
    token_usage_desc=("total_tokens", "id"),
)
EVENT_ORDERS: Final = _orders(
    sequence_asc=("session_id", "sequence_number"),
    timestamp_asc=("timestamp", "session_id", "sequence_number"),
    timestamp_desc=("timestamp", "session_id", "sequence_number"),
)


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions to find: those that carry all of `tags` and pass each other filter, from `start` on, in `order`.

    `tags` holds no tag twice.
    """

    ids: tuple[str, ...] | None = None
    agent_ids: tuple[str, ...] | None = None
    statuses: tuple[SessionStatus, ...] | None = None
    providers: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    include_deleted: bool = False
    order: Order = SESSION_ORDERS["created_at_desc"]
    start: tuple[Any, ...] | None = None
    limit: int | None = None
    offset: int = 0


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Runs to find: those that pass each filter, from `start` on, in `order`."""

    ids: tuple[str, ...] | None = None
    session_ids: tuple[str, ...] | None = None
    statuses: tuple[RunStatus, ...] | None = None
    providers: tuple[str, ...] | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    min_tokens: int | None = None
    order: Order = RUN_ORDERS["started_at_asc"]
    start: tuple[Any, ...] | None = None
    limit: int | None = None


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Events to find: those that pass each filter, from `start` on, in `order`.

    `since` is inclusive, `until` exclusive; `after` and `before` are sequence numbers, both exclusive.
    """

    ids: tuple[str, ...] | None = None
    session_ids: tuple[str, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    types: tuple[EventType, ...] | None = None
    providers: tuple[str, ...] | None = None
    correlation_ids: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None
    order: Order = EVENT_ORDERS["sequence_asc"]
    start: tuple[Any, ...] | None = None
    limit: int | None = None


Q = TypeVar("Q", SessionQuery, RunQuery, EventQuery)


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Runs whose usage to add up: `since` is inclusive, `until` exclusive, both of the time a run started."""

    session_ids: tuple[str, ...] | None = None
    agent_ids: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None


_FIRST_BOUNDS: Final = {
    ("created_at", False): "created_after",
    ("created_at", True): "created_before",
    ("started_at", False): "started_after",
    ("started_at", True): "started_before",
    ("timestamp", False): "since",
    ("timestamp", True): "until",
}
"""The filter that cuts an order off at its beginning, by the order's first field and whether it descends."""


def without_needless_bound(query: Q) -> Q:
    """Return what finds the same items as `query`, whose order is cut off at its beginning but once.

    By its start or by a filter, whichever is narrower: of two such bounds a database takes one to go to in the index,
    and may take the wider one, so that each page would go through all pages before it.
    """
    order: Order = query.order
    start = query.start
    field = _FIRST_BOUNDS.get((order.key[0], order.descending))
    bound = field and getattr(query, field)
    if start is None or field is None or bound is None:
        return query
    narrower = start[0] < bound if order.descending else start[0] > bound
    if narrower or (field == "since" and start[0] == bound):
        return msgspec.structs.replace(query, **{field: None})
    return msgspec.structs.replace(query, start=None)


def allows_nothing(query: SessionQuery | RunQuery | EventQuery | UsageQuery) -> bool:
    """Return whether a filter of `query` is an empty choice, so that nothing can pass it."""
    return any(getattr(query, field) == () for field in query.__struct_fields__ if field != "tags")


def check_choice(field: str, value: object, check: Callable[[str, object], T]) -> tuple[T, ...] | None:
    """Return the values that a filter allows: of one value or an iterable of them; None is no filter.

    Raises:
        ValidationError: a value does not pass `check`, or there are more than `MAX_CHOICES`.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        return (check(field, value),)
    choices: dict[T, None] = {}
    for item in value:
        choices[check(field, item)] = None
        check_size(field, choices)
    return tuple(choices)


def check_size(field: str, choices: Sized) -> None:
    """Refuse a filter of more than `MAX_CHOICES` values.

    Raises:
        ValidationError: there are more.
    """
    if len(choices) > MAX_CHOICES:
        message = f"{field} may name {MAX_CHOICES} values at the most; ask in parts."
        raise ValidationError(message)


def check_limit(value: object) -> int:
    """Return `value` if it can limit a listing: an integer of at least 1."""
    return check_natural("limit", value, least=1)


def check_optional_limit(value: object) -> int | None:
    """Return `value` checked as a limit, or None where there is none."""
    return None if value is None else check_limit(value)


def check_order(orders: dict[str, Order], value: object) -> Order:
    """Return the order that `value` names.

    Raises:
        ValidationError: there is none of that name.
    """
    order = orders.get(value) if isinstance(value, str) else None
    if order is None:
        message = f"No order is called {shown(value)}. There are: {', '.join(orders)}."
        raise ValidationError(message)
    return order
