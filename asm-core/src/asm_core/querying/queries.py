"""Query objects: checked, and independent of the backend.

The ports build them from their arguments. In each of them, None is no filter, and a tuple matches any of its members.
A tuple is never empty: the ports themselves return the empty result of an empty filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.models import RunStatus, Session, SessionStatus
from asm_core.models.base import check_natural
from asm_core.querying.text_search import TextSearch

T = TypeVar("T")

MAX_CHOICES: Final = 10_000
"""The largest number of values of a filter, or of a batch of maintenance: every database accepts it in a statement."""


class Order(msgspec.Struct, frozen=True):
    """The total order of a listing and its pages.

    Attributes:
        name: its name in the public API.
        key: the fields to sort by; together they are unique.
        descending: whether all of them sort in descending order.
    """

    name: str
    key: tuple[str, ...]
    descending: bool

    def key_of(self, item: object) -> tuple[Any, ...]:
        """Return the key of `item` in this order."""
        return tuple([getattr(item, field) for field in self.key])


def _orders(**keys: tuple[str, ...]) -> dict[str, Order]:
    return {name: Order(name, key, name.endswith("_desc")) for name, key in keys.items()}


BY_ACTIVITY: Final = ("active_at", "session_id")
"""The key of the orders by activity, whose values are those of `ActiveSession`."""
SESSION_ORDERS: Final = _orders(
    active_at_desc=BY_ACTIVITY,
    created_at_asc=("created_at", "id"),
    created_at_desc=("created_at", "id"),
    updated_at_desc=("updated_at", "id"),
)
RUN_ORDERS: Final = _orders(
    started_at_asc=("started_at", "id"),
    started_at_desc=("started_at", "id"),
    token_usage_desc=("total_tokens", "id"),
)
BY_NUMBER: Final = ("session_id", "sequence_number")
"""The key of the orders in which logs are stored."""
EVENT_ORDERS: Final = _orders(
    sequence_asc=BY_NUMBER,
    sequence_desc=BY_NUMBER,
    timestamp_asc=("timestamp", "session_id", "sequence_number"),
    timestamp_desc=("timestamp", "session_id", "sequence_number"),
)


class ActiveSession(msgspec.Struct, frozen=True, gc=False):
    """A session, and the time of its last activity.

    That is the latest of its creation and of the timestamps of its events, pruned ones included, in whole seconds.
    """

    session: Session
    active_at: datetime

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self.session.id


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for sessions that have all of `tags` and match each other filter, after `after_key`, in `order`.

    `tags` has no duplicates. `title` is a text that the casefolded title contains.
    """

    ids: tuple[str, ...] | None = None
    agent_ids: tuple[str, ...] | None = None
    user_ids: tuple[str, ...] | None = None
    parent_ids: tuple[str, ...] | None = None
    statuses: tuple[SessionStatus, ...] | None = None
    providers: tuple[str, ...] | None = None
    title: str | None = None
    tags: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    active_after: datetime | None = None
    active_before: datetime | None = None
    include_deleted: bool = False
    order: Order = SESSION_ORDERS["created_at_desc"]
    after_key: tuple[Any, ...] | None = None
    limit: int | None = None
    offset: int = 0

    @property
    def needs_activity(self) -> bool:
        """Whether the order or a filter is by activity."""
        return self.order.key == BY_ACTIVITY or self.active_after is not None or self.active_before is not None


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for runs that match each filter, after `after_key`, in `order`."""

    ids: tuple[str, ...] | None = None
    session_ids: tuple[str, ...] | None = None
    statuses: tuple[RunStatus, ...] | None = None
    providers: tuple[str, ...] | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    min_tokens: int | None = None
    order: Order = RUN_ORDERS["started_at_asc"]
    after_key: tuple[Any, ...] | None = None
    limit: int | None = None


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for events that match each filter, after `after_key`, in `order`.

    `since` is inclusive, `until` exclusive; `after` and `before` are sequence numbers, both exclusive. `agent_ids` and
    `user_ids` are those of the session; `live_only` leaves out soft-deleted sessions. `text` is a hint: a store returns
    all events that match it, and may return others, which the port leaves out.
    """

    ids: tuple[str, ...] | None = None
    session_ids: tuple[str, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    correlation_ids: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None
    agent_ids: tuple[str, ...] | None = None
    user_ids: tuple[str, ...] | None = None
    live_only: bool = False
    text: TextSearch | None = None
    order: Order = EVENT_ORDERS["sequence_asc"]
    after_key: tuple[Any, ...] | None = None
    limit: int | None = None

    @property
    def asks_sessions(self) -> bool:
        """Whether a filter is on the session of an event."""
        return self.live_only or self.agent_ids is not None or self.user_ids is not None


Q = TypeVar("Q", SessionQuery, RunQuery, EventQuery)


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for the totals of runs; `since` (inclusive) and `until` (exclusive) compare `started_at`.

    Attributes:
        tags: only runs of sessions with all of these tags, without duplicates.
        group_by: the columns of `asm_core.querying.accounting.groups.GROUPS` that form the key of a row, in order.
        bucket: None, or the seconds of the buckets of `started_at`; the number of a bucket then ends the key, counted
            from `asm_core.querying.accounting.periods.EPOCH`.
    """

    session_ids: tuple[str, ...] | None = None
    agent_ids: tuple[str, ...] | None = None
    user_ids: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    group_by: tuple[str, ...] = ("provider", "model")
    bucket: int | None = None


_FIRST_BOUNDS: Final = {
    ("active_at", True): "active_before",
    ("created_at", False): "created_after",
    ("created_at", True): "created_before",
    ("started_at", False): "started_after",
    ("started_at", True): "started_before",
    ("timestamp", False): "since",
    ("timestamp", True): "until",
}
"""The filter that limits the beginning of an order, by the order's first field and direction."""


def without_needless_bound(query: Q) -> Q:
    """Return an equivalent of `query` with a single lower bound of its order.

    The bound is its start or a filter, the narrower of both. Given two bounds, a database may use the wider one for the
    index, and then each page would scan all previous pages.
    """
    order: Order = query.order
    start = query.after_key
    field = _FIRST_BOUNDS.get((order.key[0], order.descending))
    bound = field and getattr(query, field)
    if start is None or field is None or bound is None:
        return query
    narrower = start[0] < bound if order.descending else start[0] > bound
    if narrower or (field == "since" and start[0] == bound):
        return msgspec.structs.replace(query, **{field: None})
    return msgspec.structs.replace(query, after_key=None)


def allows_nothing(query: SessionQuery | RunQuery | EventQuery | UsageQuery) -> bool:
    """Return whether a filter of `query` is empty or its limit is 0, so that nothing can match."""
    return getattr(query, "limit", None) == 0 or () in _filters_of(type(query))(query)


@cache
def _filters_of(kind: type[msgspec.Struct]) -> attrgetter[tuple[Any, ...]]:
    """Return what returns the values of all filters of a query: each read asks for them."""
    return attrgetter(*(field for field in kind.__struct_fields__ if field not in {"tags", "group_by"}))


def check_choice(field: str, value: object, check: Callable[[str, object], T]) -> tuple[T, ...] | None:
    """Return the values of a filter, given as one value or an iterable; None is no filter.

    Raises:
        ValidationError: `check` rejects a value, or there are more than `MAX_CHOICES` values.
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
    """Reject a filter with more than `MAX_CHOICES` values.

    Raises:
        ValidationError: there are more values.
    """
    if len(choices) > MAX_CHOICES:
        message = f"{field} accepts at most {MAX_CHOICES} values. Split the query."
        raise ValidationError(message)


def check_limit(value: object) -> int:
    """Return `value` if it is a valid size of a page: an integer of at least 1."""
    return check_natural("limit", value, least=1)


def check_optional_limit(value: object) -> int | None:
    """Return `value` if it is a valid limit of a list or None; 0 returns nothing."""
    return None if value is None else check_natural("limit", value)


def check_order(orders: dict[str, Order], value: object) -> Order:
    """Return the order named `value`.

    Raises:
        ValidationError: unknown order.
    """
    order = orders.get(value) if isinstance(value, str) else None
    if order is None:
        message = f"Unknown order: {short_repr(value)}. Known orders: {', '.join(orders)}."
        raise ValidationError(message)
    return order
