"""Reading a session's log in order, so that a log that was set back is found and never mixed with what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.errors import LogSetBackError, SessionNotFoundError, ValidationError
from asm_core.models.base import check_natural
from asm_core.queries import EventQuery, allows_nothing

if TYPE_CHECKING:
    from asm_core.heads import Head
    from asm_core.models import Event
    from asm_core.ports.reader import Reader

FOLLOW_PAGE: Final = 200
"""How many events a follower reads at once."""


def check_last(session_id: str, event: Event) -> int:
    """Return the number of an event after which a session's log is to be read.

    Raises:
        ValidationError: it is an event of another session, or has no number.
    """
    if event.session_id != session_id:
        message = (
            f"after is the event {event.id} of session {event.session_id}; to read {session_id}, give one of its own."
        )
        raise ValidationError(message)
    if event.sequence_number is None:
        message = f"after is the event {event.id} without a sequence_number; give it as the store returned it."
        raise ValidationError(message)
    return check_natural("after.sequence_number", event.sequence_number, least=1)


def head_of(reader: Reader, session_id: str) -> Head:
    """Return the head of a session.

    Raises:
        SessionNotFoundError: the session does not exist.
    """
    head = reader._load_heads([session_id]).get(session_id)
    if head is None:
        raise SessionNotFoundError(session_id)
    return head


def find_after(reader: Reader, query: EventQuery, last: Event | None) -> list[Event]:
    """Return the events of one session that pass `query`, which begins after `last`.

    Raises:
        LogSetBackError: `last` is neither stored nor pruned.
        SessionNotFoundError: `last` is not stored, nor is the session.
    """
    if last is None:
        return [] if allows_nothing(query) else reader._find_events(query)
    found, is_stored = _find_checked(reader, query, last)
    if not is_stored:
        number, head = last.sequence_number or 0, head_of(reader, last.session_id)
        if head.last_sequence < number:
            raise LogSetBackError(last.session_id, number, _ends_at(head))
    return found


class Follower:
    """Reads a log page by page, and raises `LogSetBackError` where it is no longer the log that was read so far.

    Once `read` returns no events, the caller waits for a head that is none of `known`, and hands it to `see`.

    The last event that was seen is read again with each page, in the same query: another one in its place shows that
    the log was set back and has grown since. Where it was pruned, the head is compared after the page is read.
    """

    def __init__(self, reader: Reader, query: EventQuery, last: Event | None) -> None:
        """Read with `reader` what passes `query`, of one session, from its `after` on, which may be `last`'s number."""
        self._reader = reader
        self._session_id: str = (query.session_ids or ())[0]
        self._query = query
        self._filtered = query.types is not None or query.run_ids is not None
        self._number = query.after or 0
        self._last = last
        self._begun = self._due = last is not None
        self._seen = 0 if last is None else self._number
        self._head: Head | None = None
        self._refuted: tuple[Head, ...] = ()
        self._told = False

    @property
    def known(self) -> tuple[Head, ...]:
        """The heads that need no further look."""
        return self._refuted if self._head is None else (self._head, *self._refuted)

    def read(self) -> list[Event]:
        """Return the next events; none if there are none up to the last head.

        Raises:
            LogSetBackError: the log was set back.
            SessionNotFoundError: the session does not exist.
        """
        if self._head is None:
            self._advance(head_of(self._reader, self._session_id))
        while self._due:
            told, self._told = self._told, False
            events = self._read_page()
            if events:
                # There may be more by the time that the caller asks again: that is cheaper to see than to be woken for.
                self._begun = self._due = True
                return events
            if told:
                self._advance(head_of(self._reader, self._session_id))
        return []

    def see(self, head: Head | None) -> None:
        """Take a head that the watcher found; None: there may be one.

        Raises:
            LogSetBackError: the log was set back.
            SessionNotFoundError: the session does not exist.
        """
        if head is None and self._last is not None and not self._filtered:
            # The page shows whether the log is the same, and in most cases how far it goes.
            self._due = self._told = True
            return
        if head is not None and self._contradiction(head):
            # The watcher is outside of this thread's transaction, and may see less.
            self._refuted, head = (head,), None
        self._advance(head or head_of(self._reader, self._session_id))

    def _advance(self, head: Head) -> None:
        found = self._contradiction(head)
        if found:
            raise LogSetBackError(self._session_id, self._seen, found)
        self._due = self._due or head.last_sequence > self._number or self._was_rewritten(head)
        self._head = head
        self._seen = head.last_sequence

    def _was_rewritten(self, head: Head) -> bool:
        """Return whether there may be other events up to the last number that was seen."""
        before = None if self._head is None else self._head.updated_at
        return self._last is not None and None not in (before, head.updated_at) and before != head.updated_at

    def _contradiction(self, head: Head) -> str | None:
        """Return what shows that a head is not that of the log that was read."""
        log_id = None if self._head is None else self._head.log_id
        if log_id is not None and head.log_id != log_id:
            return "the session has another log now"
        return _ends_at(head) if head.last_sequence < self._seen else None

    def _read_page(self) -> list[Event]:
        """Return the next events that pass, and move behind what was looked through."""
        end = 0 if self._head is None else self._head.last_sequence  # read before the page: all up to it is visible
        is_near = self._filtered and 0 < end - self._number < FOLLOW_PAGE
        query = msgspec.structs.replace(self._query, after=self._number, limit=FOLLOW_PAGE)
        tail = None
        if is_near:
            # All events up to the head in one query, which has the last event seen in it whether it passes or not.
            query = EventQuery(session_ids=query.session_ids, after=self._number, before=end + 1, limit=FOLLOW_PAGE)
        elif self._filtered and end > self._number:
            tail = _event_at(self._reader, self._session_id, end)
        found = self._find(query)
        is_full = len(found) == FOLLOW_PAGE
        self._move(found, None if is_full else tail, 0 if is_full else end)
        self._due = is_full or self._seen > self._number
        return [event for event in found if _passes(event, self._query)] if is_near else found

    def _find(self, query: EventQuery) -> list[Event]:
        if self._last is None:
            found, is_same = find_after(self._reader, query, None), not self._begun
        else:
            found, is_same = _find_checked(self._reader, query, self._last)
        if not is_same:
            # The log's id never comes back: a look at it after the page holds for the page.
            self._last = None
            self._advance(head_of(self._reader, self._session_id))
        return found

    def _move(self, found: list[Event], tail: Event | None, end: int) -> None:
        seen = [event for event in (self._last, tail, *found[-1:]) if event is not None]
        self._last = max(seen, key=_number, default=None)
        self._number = max(self._number, end, 0 if self._last is None else _number(self._last))
        if found and self._head is not None and _number(found[-1]) > self._seen:
            self._seen = _number(found[-1])
            self._head = self._head._replace(last_sequence=self._seen, updated_at=None)


def _find_checked(reader: Reader, query: EventQuery, last: Event) -> tuple[list[Event], bool]:
    """Return the events that pass `query`, and whether `last` was stored then, or later.

    Raises:
        LogSetBackError: another event has its number.
    """
    number = _number(last)
    if query.after == number and (query.before is None or query.before > number) and _passes(last, query):
        limit = None if query.limit is None else query.limit + 1
        found = reader._find_events(msgspec.structs.replace(query, after=number - 1, limit=limit))
        stored = found.pop(0) if found and _number(found[0]) == number else None
        found = found[: query.limit]
    else:
        found, stored = find_after(reader, query, None), None
    # What stands there now need not pass the filters.
    stored = stored or _event_at(reader, last.session_id, number)
    if stored is not None and stored.id != last.id:
        raise LogSetBackError(last.session_id, number, f"the event numbered {number} is {stored.id}, not {last.id}")
    return found, stored is not None


def _event_at(reader: Reader, session_id: str, number: int) -> Event | None:
    query = EventQuery(session_ids=(session_id,), after=number - 1, before=number + 1, limit=1)
    return next(iter(reader._find_events(query)), None)


def _passes(event: Event, query: EventQuery) -> bool:
    return (
        (query.run_ids is None or event.run_id in query.run_ids)
        and (query.types is None or event.type in query.types)
        and (query.since is None or event.timestamp >= query.since)
    )


def _number(event: Event) -> int:
    return event.sequence_number or 0


def _ends_at(head: Head) -> str:
    return f"its last number is {head.last_sequence}"
