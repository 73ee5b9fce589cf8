"""Maintenance queries evaluated item by item, for stores without SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.models import TERMINAL_SESSION_STATUSES
from asm_core.retention.questions import EventMark, Found, Stretch, key_fields

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from asm_core.models import Artifact, Event, Session
    from asm_core.retention.questions import Exemption, ExpiredSessions, OversizedSessions, PrunableSessions

    Key = tuple[Any, ...]


def is_exempt(session: Session, exempt: Exemption) -> bool:
    """Return whether a session is exempt from maintenance."""
    return session.status in exempt.statuses or not set(session.tags).isdisjoint(exempt.tags)


def is_deleted_before(item: Session | Artifact, time: datetime | None) -> bool:
    """Return whether a session or artifact was soft-deleted before a time; False if the time is None."""
    return time is not None and item.deleted_at is not None and item.deleted_at < time


def is_expired(session: Session, active_at: datetime, query: ExpiredSessions) -> bool:
    """Return whether a session has expired; `active_at` is the time of its last event, or of its creation."""
    too_old = query.created_before is not None and session.created_at < query.created_before
    has_ended = session.status in TERMINAL_SESSION_STATUSES
    over = has_ended and query.ended_before is not None and session.updated_at < query.ended_before
    is_idle = query.idle_before is not None and active_at < query.idle_before
    return session.deleted_at is None and (too_old or over or is_idle)


def is_oversized(session: Session, last_sequence: int, query: OversizedSessions) -> bool:
    """Return whether a session may have too many events and is not exempt."""
    return last_sequence > query.max_events and not is_deleted_before(session, query.deleted_before)


def is_prunable(session: Session, query: PrunableSessions) -> bool:
    """Return whether events of a session may be pruned."""
    return not is_exempt(session, query.exempt) and not is_deleted_before(session, query.deleted_before)


def found(ids: Iterable[str], query: Any) -> Found:
    """Return the matching ids that a query selects."""
    among = getattr(query, "ids", None)
    if among is not None:
        return Found(sorted(set(ids).intersection(among)))
    further = sorted(one for one in ids if one > query.after)
    return Found(further[: query.limit], further[query.limit - 1] if len(further) > query.limit else None)


def stretch_of(events: Iterable[Event], session_id: str | None, after: Key | None) -> Stretch | None:
    """Return the rest after a key as one stretch: of a session's log, or with None, of all events by age."""
    keys = [key for event in events for key in (_key(event, session_id),) if after is None or key > after]
    return Stretch(after=after, until=max(keys), count=len(keys)) if keys else None


def marks_of(events: Iterable[Event], session_id: str | None, stretch: Stretch) -> list[EventMark]:
    """Return the marks of the events of a stretch, in the order of their keys."""
    keyed = [(_key(event, session_id), event) for event in events]
    inside = [one for one in keyed if (stretch.after is None or one[0] > stretch.after) and one[0] <= stretch.until]
    return [EventMark.of(event) for _, event in sorted(inside, key=lambda one: one[0])]


def _key(event: Event, session_id: str | None) -> Key:
    return tuple([getattr(event, field) for field in key_fields(session_id)])
