"""Resuming a session's log after an event, which the log must still contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asm_core.errors import LogSetBackError, SessionNotFoundError, ValidationError
from asm_core.models.base import check_natural
from asm_core.querying.matching import event_matches
from asm_core.querying.queries import EventQuery, allows_nothing

if TYPE_CHECKING:
    from asm_core.models import Event, StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.reader import Reader


def check_last(session_id: str, event: Event) -> int:
    """Return the number of the event after which a session's log is read.

    Raises:
        ValidationError: the event belongs to another session, or has no number.
    """
    if event.session_id != session_id:
        message = f"after is the event {event.id} of session {event.session_id}. Give an event of session {session_id}."
        raise ValidationError(message)
    if event.sequence_number is None:
        message = f"after is the event {event.id} without a sequence_number. Give the event as the store returned it."
        raise ValidationError(message)
    return check_natural("after.sequence_number", event.sequence_number, least=1)


def head_of(reader: Reader, session_id: str) -> Head:
    """Return the head of a session.

    Raises:
        SessionNotFoundError: the session does not exist.
    """
    head = reader.load_heads([session_id]).get(session_id)
    if head is None:
        raise SessionNotFoundError(session_id)
    return head


def find_after(reader: Reader, query: EventQuery, last: Event | None) -> list[StoredEvent]:
    """Return the events of one session that match `query`, which begins after `last`.

    Raises:
        LogSetBackError: `last` is neither stored nor pruned.
        SessionNotFoundError: `last` is not stored, nor is the session.
    """
    if last is None:
        return [] if allows_nothing(query) else reader.find_events(query)
    found, was_stored = find_checked(reader, query, last)
    if not was_stored:
        number, head = last.sequence_number or 0, head_of(reader, last.session_id)
        if head.last_sequence < number:
            raise LogSetBackError(last.session_id, number, ends_at(head))
        is_stored(reader, last)
    return found


def find_checked(reader: Reader, query: EventQuery, last: Event) -> tuple[list[StoredEvent], bool]:
    """Return the events that match `query`, and whether `last` was stored at that time or later.

    Raises:
        LogSetBackError: another event has its number.
    """
    number = number_of(last)
    # In descending order, the page need not reach `last`.
    is_next = query.after == number and not query.order.descending
    if is_next and (query.before is None or query.before > number) and event_matches(last, query):
        limit = None if query.limit is None else query.limit + 1
        found = reader.find_events(msgspec.structs.replace(query, after=number - 1, limit=limit))
        stored = found.pop(0) if found and number_of(found[0]) == number else None
        found = found[: query.limit]
    else:
        found, stored = find_after(reader, query, None), None
    # The event that has the number now need not match the filters.
    return found, _is_same(stored, last) if stored else is_stored(reader, last)


def is_stored(reader: Reader, last: Event) -> bool:
    """Return whether an event is stored.

    If it is not, the head is compared, and then the event is read again: the log may have been shorter than the
    event's number at first, and have grown past it before the head was read.

    Raises:
        LogSetBackError: another event has its number.
    """
    stored = event_at(reader, last.session_id, number_of(last))
    return stored is not None and _is_same(stored, last)


def _is_same(stored: Event, last: Event) -> bool:
    if stored.id != last.id:
        number = number_of(last)
        raise LogSetBackError(last.session_id, number, f"the event numbered {number} is {stored.id}, not {last.id}")
    return True


def event_at(reader: Reader, session_id: str, number: int) -> StoredEvent | None:
    """Return the event with a number, or None if it is not stored."""
    query = EventQuery(session_ids=(session_id,), after=number - 1, before=number + 1, limit=1)
    return next(iter(reader.find_events(query)), None)


def number_of(event: Event) -> int:
    """Return the number of a stored event."""
    return event.sequence_number or 0


def ends_at(head: Head) -> str:
    """Describe a shorter log, for the error message."""
    return f"its last number is {head.last_sequence}"
