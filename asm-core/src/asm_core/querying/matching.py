"""Queries answered item by item, for stores that are not SQL."""

from __future__ import annotations

from heapq import nlargest, nsmallest
from operator import gt, lt
from typing import TYPE_CHECKING, Any, TypeVar

from asm_core.models import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from asm_core.models import Event, Run, Session
    from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def session_matches(session: Session, query: SessionQuery) -> bool:
    """Return whether a session matches the filters of a query, except those by provider and by activity."""
    return (
        (query.include_deleted or session.deleted_at is None)
        and _allowed(session.id, query.ids)
        and _allowed(session.agent_id, query.agent_ids)
        and _allowed(session.user_id, query.user_ids)
        and _allowed(session.parent_session_id, query.parent_ids)
        and (query.title is None or query.title in (session.title_folded or ""))
        and _allowed(session.status, query.statuses)
        and (query.created_after is None or session.created_at > query.created_after)
        and (query.created_before is None or session.created_at < query.created_before)
        and (not query.tags or set(session.tags).issuperset(query.tags))
    )


def active_matches(active_at: datetime, query: SessionQuery) -> bool:
    """Return whether a session that was last active at this time matches the filters by activity."""
    return (query.active_after is None or active_at > query.active_after) and (
        query.active_before is None or active_at < query.active_before
    )


def run_matches(run: Run, query: RunQuery) -> bool:
    """Return whether a run matches the filters of a query."""
    return (
        _allowed(run.id, query.ids)
        and _allowed(run.session_id, query.session_ids)
        and _allowed(run.status, query.statuses)
        and _allowed(run.provider, query.providers)
        and (query.started_after is None or run.started_at > query.started_after)
        and (query.started_before is None or run.started_at < query.started_before)
        and (query.min_tokens is None or run.total_tokens >= query.min_tokens)
    )


def event_matches(event: Event, query: EventQuery) -> bool:
    """Return whether an event matches the filters of a query, except those by session and number.

    `event_session_matches` has the filters on its session.
    """
    return (
        _allowed(event.id, query.ids)
        and _allowed(event.run_id, query.run_ids)
        and _allowed(event.type, query.types)
        and _allowed(event.provider, query.providers)
        and _allowed(event.correlation_id, query.correlation_ids)
        and (query.since is None or event.timestamp >= query.since)
        and (query.until is None or event.timestamp < query.until)
        and (query.text is None or query.text.matches(event.data))
    )


def event_session_matches(session: Session, query: EventQuery) -> bool:
    """Return whether a query allows the events of this session."""
    return (
        not (query.live_only and session.deleted_at is not None)
        and _allowed(session.agent_id, query.agent_ids)
        and _allowed(session.user_id, query.user_ids)
    )


def usage_matches(run: Run, session: Session, query: UsageQuery) -> bool:
    """Return whether a run of this session matches the filters of a query."""
    return (
        _allowed(run.session_id, query.session_ids)
        and _allowed(session.agent_id, query.agent_ids)
        and _allowed(session.user_id, query.user_ids)
        and (not query.tags or set(session.tags).issuperset(query.tags))
        and _allowed(run.provider, query.providers)
        and (query.since is None or run.started_at >= query.since)
        and (query.until is None or run.started_at < query.until)
    )


def _allowed(value: object, choice: Collection[object] | None) -> bool:
    return choice is None or value in choice


def select(items: Iterable[M], query: Any) -> list[M]:
    """Return copies of the items that a query selects: those after its key, in its order, from its offset to its limit.

    Memory is proportional to the result, not to the items.
    """
    return [item.checked() for item in choose(items, query)]


def choose(items: Iterable[T], query: Any) -> list[T]:
    """Return the items that `select` copies."""
    order, after, offset = query.order, query.after_key, getattr(query, "offset", 0)
    if after is not None:
        is_after = lt if order.descending else gt
        items = (item for item in items if is_after(order.key_of(item), after))
    if query.limit is None:
        found = sorted(items, key=order.key_of, reverse=order.descending)
    else:
        first = nlargest if order.descending else nsmallest
        found = first(offset + query.limit, items, key=order.key_of)
    return found[offset:]
