"""Following of a session's log, with detection of a log that was set back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.errors import LogSetBackError
from asm_core.event_log.resuming import (
    ends_at,
    event_at,
    find_after,
    find_checked,
    head_of,
    is_stored,
    number_of,
)
from asm_core.querying.matching import event_matches
from asm_core.querying.queries import EventQuery, allows_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.models import Event, StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.lagging import LaggingReader
    from asm_core.querying.reader import Reader

FOLLOW_PAGE: Final = 200
"""The largest number of events that a follower reads in one query."""


class Follower:
    """Reads a log page by page, and raises `LogSetBackError` if it lost events that were read.

    When `read` returns no events, the caller waits for a head that is not in `known`, and passes it to `see`.

    Each page includes the last event that was seen. Another event in its place shows that the log was set back and has
    grown since. If the event was pruned, the head is compared after the page is read.
    """

    def __init__(
        self, reader: Reader, query: EventQuery, last: Event | None, lagging: LaggingReader | None = None
    ) -> None:
        """Read the events of one session that match `query` with `reader`; its `after` may be the number of `last`.

        With `lagging`, heads come from a watcher of a replica, and so do pages that reach them. `reader` answers
        anything else. Only it decides that a log was set back.
        """
        self._reader = reader
        self._lagging = lagging
        self._session_id: str = (query.session_ids or ())[0]
        self._query = query
        self._filtered = query.types is not None or query.run_ids is not None
        self._number = self._looked = query.after or 0
        self._last = last
        self._begun = self._due = last is not None
        self._seen = 0 if last is None else self._number
        self._head: Head | None = None
        self._refuted: tuple[Head, ...] = ()
        self._told = False

    @property
    def known(self) -> tuple[Head, ...]:
        """The heads that need no new read."""
        return self._refuted if self._head is None else (self._head, *self._refuted)

    def read(self) -> list[StoredEvent]:
        """Return the next events; an empty list if there are none up to the last head.

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
                # More events may exist at the next call: reading them is cheaper than a wakeup.
                self._begun = self._due = True
                return events
            if told:
                self._advance(head_of(self._reader, self._session_id))
        return []

    def see(self, head: Head | None) -> None:
        """Process a new head from the watcher; None: there may be one.

        Raises:
            LogSetBackError: the log was set back.
            SessionNotFoundError: the session does not exist.
        """
        if head is None and self._last is not None and not self._filtered:
            # The page shows whether the log is the same, and in most cases its last number.
            self._due = self._told = True
            return
        if head is not None and self._contradiction(head):
            # The watcher is outside this thread's transaction, or polls a replica, and may see less.
            self._refuted, head = (head,), None
            if self._lagging is not None:
                self._check(head_of(self._reader, self._session_id))
                return
        self._advance(head or head_of(self._reader, self._session_id))

    def _check(self, head: Head) -> None:
        found = self._contradiction(head)
        if found:
            raise LogSetBackError(self._session_id, self._seen, found)

    def _advance(self, head: Head) -> None:
        self._check(head)
        self._due = self._due or head.last_sequence > self._looked or self._was_rewritten(head)
        self._head = head
        self._seen = head.last_sequence

    def _was_rewritten(self, head: Head) -> bool:
        """Return whether other events may exist up to the last number that was seen."""
        before = None if self._head is None else self._head.updated_at
        return self._last is not None and None not in (before, head.updated_at) and before != head.updated_at

    def _contradiction(self, head: Head) -> str | None:
        """Return the reason why a head belongs to another log than the one that was read."""
        log_id = None if self._head is None else self._head.log_id
        if log_id is not None and head.log_id != log_id:
            return "the session has another log now"
        return ends_at(head) if head.last_sequence < self._seen else None

    def _read_page(self) -> list[StoredEvent]:
        """Return the next matching events, and advance to the last event that was seen, matching or not.

        Never further: events that are missing up to the head were pruned, or the log was set back after the head was
        read, and their numbers will be used again.
        """
        end = 0 if self._head is None else self._head.last_sequence  # read before the page: all up to it are visible
        is_near = self._filtered and 0 < end - self._number < FOLLOW_PAGE
        query = msgspec.structs.replace(self._query, after=self._number, limit=FOLLOW_PAGE)
        tail = None
        if is_near:
            # One query of all events up to the head; it includes the last event that was seen, matching or not.
            query = EventQuery(session_ids=query.session_ids, after=self._number, before=end + 1, limit=FOLLOW_PAGE)
        elif self._filtered and end > self._number:
            tail = event_at(self._reader, self._session_id, end)
        found = self._find_lagging(query, end)
        if found is None:
            found = self._find(query)
        is_full = len(found) == FOLLOW_PAGE
        self._move(found, None if is_full else tail)
        self._looked = max(self._looked, self._number, 0 if is_full else end)
        self._due = is_full or self._seen > self._looked
        return [event for event in found if event_matches(event, self._query)] if is_near else found

    def _find_lagging(self, query: EventQuery, end: int) -> list[StoredEvent] | None:
        """Return a page of the replica that continues what was read, and is full or reaches the number `end`.

        None: the replica does not have it, or need not have it.
        """
        last = self._last
        is_checked = not self._begun if last is None else number_of(last) == query.after and event_matches(last, query)
        if self._lagging is None or allows_nothing(query) or not is_checked:
            return None
        if last is not None:  # the page begins with it
            query = msgspec.structs.replace(query, after=number_of(last) - 1, limit=FOLLOW_PAGE + 1)
        found = self._lagging.find_events(query)
        if found is None or (last is not None and [event.id for event in found[:1]] != [last.id]):
            return None
        end_found = number_of(found[-1]) if found else self._number
        is_whole = query.types is None and query.run_ids is None and end_found >= end
        found = found if last is None else found[1:]
        return found if is_whole or len(found) == FOLLOW_PAGE else None

    def _find(self, query: EventQuery) -> list[StoredEvent]:
        if self._last is None:
            found, is_same = find_after(self._reader, query, None), not self._begun
        else:
            found, is_same = find_checked(self._reader, query, self._last)
        if not is_same:
            # A log id is never reused, so a check after the page is valid for the page.
            last, self._last = self._last, None
            self._advance(head_of(self._reader, self._session_id))
            self._last = last if last is not None and is_stored(self._reader, last) else None
        return found

    def _move(self, found: Sequence[Event], tail: Event | None) -> None:
        seen = [event for event in (self._last, tail, *found[-1:]) if event is not None]
        self._last = max(seen, key=number_of, default=None)
        self._number = max(self._number, 0 if self._last is None else number_of(self._last))
        if found and self._head is not None and number_of(found[-1]) > self._seen:
            self._seen = number_of(found[-1])
            self._head = self._head._replace(last_sequence=self._seen, updated_at=None)
