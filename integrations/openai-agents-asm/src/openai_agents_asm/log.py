"""The items of a session in the log of a session of the store. Its calls block."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from asm_core import Event, RevisionConflictError, Session, SessionNotFoundError, SessionStatus
from asm_core.integrating import composed_id, read_contents
from asm_core.values.ids import new_ids
from openai_agents_asm.items import ITEM_TYPES, NO_ITEM, event_fields, item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asm_core import Backend, Run, SessionStore
    from asm_core.integrating import EventContent

KIND: Final = "openai-agents"
"""How the ids of sessions begin."""

COMPACTED: Final = "openai.compacted"
"""The type of the event that a compaction appends."""

_TITLE: Final = 80


class Log:
    """The items of one session: each is an event, and the newest is at the end."""

    def __init__(self, backend: Backend, session_id: str, new: Callable[[str, str | None], Session]) -> None:
        """Read and write in `backend`; `new` returns the session to create, of its id and title."""
        self.id = composed_id(KIND, session_id)
        self._backend = backend
        self._store = backend.session_store
        self._new = new
        self._exists = False
        self._names: dict[str, str] = {}

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, limit: int | None = None) -> list[tuple[EventContent, Any]]:
        """Return the newest `limit` items, or all, with their events, in the order in which they were added."""
        # Nearly all events have items, so a filter by type would cost more than it saves.
        return _with_items(read_contents(self._store, self.id)) if limit is None else self._newest(limit)

    def _newest(self, limit: int) -> list[tuple[EventContent, Any]]:
        found: list[tuple[EventContent, Any]] = []
        before: int | None = None
        while len(found) < limit:
            count = limit - len(found)
            events = read_contents(self._store, self.id, before=before, last=count)
            found += _with_items(events)
            if len(events) < count:
                break
            before = events[-1].sequence_number
        return found[::-1]

    # -- writing ---------------------------------------------------------------------------------------------------

    def events(self, items: Sequence[Any], *, run_id: str | None = None) -> list[Event]:
        """Return new events for items."""
        now = datetime.now(UTC)
        # The store checks events when they are appended; Event.new would check them twice.
        return [
            Event(
                id=event_id, type=kind, timestamp=now, session_id=self.id, run_id=run_id, data=data, metadata=metadata
            )
            for event_id, (kind, data, metadata) in zip(
                new_ids("evt", len(items)), event_fields(items, self._names), strict=True
            )
        ]

    def append(self, events: Sequence[Event], run: Run | None = None, *, at: datetime | None = None) -> None:
        """Append events, and save the run, all or nothing; create the session if it does not exist.

        `at` is the time of a session that is created.
        """
        if not self._exists:
            self._create(events, at)
        try:
            self._append(events, run)
        except SessionNotFoundError:  # deleted meanwhile
            self._create(events, at)
            self._append(events, run)

    def _append(self, events: Sequence[Event], run: Run | None) -> None:
        if run is None:
            self._store.append_events(events)
            return
        with self._backend.transaction() as ports:
            ports.session_store.append_events(events)
            ports.session_store.save_run(run)

    def save_run(self, run: Run) -> None:
        """Save a run of the session, if that exists."""
        self._store.save_run(run)

    def _create(self, events: Sequence[Event], at: datetime | None) -> None:
        first = next((event.data["content"] for event in events if event.data.get("role") == "user"), None)
        title = first[:_TITLE] if isinstance(first, str) and first.strip() and "\0" not in first else None
        session = self._new(self.id, title)
        if at is not None:
            session = Session.from_dict({**session.to_dict(), "created_at": at, "updated_at": at})
        try:
            self._store.get_session(self.id)
        except SessionNotFoundError:
            with contextlib.suppress(RevisionConflictError):  # created meanwhile
                self._store.save_session(session.with_status(SessionStatus.ACTIVE), expected_revision=0)
        self._exists = True

    # -- removing --------------------------------------------------------------------------------------------------

    def pop(self) -> Any:
        """Remove the newest item, and return it; None if there is none. No two calls remove the same."""
        while newest := self.read(1):
            event, item = newest[0]
            if self._store.delete_events(self.id, ids=event.id):
                return item
        return None

    def clear(self) -> None:
        """Remove all items, all or none. Their numbers stay used."""
        try:
            with self._backend.transaction() as ports:
                ports.session_store.delete_events(self.id, type=ITEM_TYPES, after=0)
        except SessionNotFoundError:
            return
        self._backend.maintenance.finish_erasure()

    def replace(self, new: Sequence[Any], old: Sequence[Event] | None = None, *, is_whole: bool = False) -> bool:
        """Replace the newest items, or all, by others in one transaction; return False if they have changed.

        Args:
            new: the items to append.
            old: the events to remove, which must still be the newest; None: those of all items.
            is_whole: whether `old` must still be all.
        """
        number = 0 if old is None else len(old)
        marker = Event.new(type=COMPACTED, session_id=self.id, data={"removed": number, "added": len(new)})
        events = self.events(new)
        if not self._exists:
            self._create(events, None)
        try:
            with self._backend.transaction() as ports:
                store = ports.session_store
                # The append locks the log: what follows sees all appends, and no other one follows before the commit.
                last = store.append_events([marker, *events])[0].sequence_number
                _remove(store, self.id, old, last, is_whole=is_whole)
        except _ChangedError:
            return False
        self._backend.maintenance.finish_erasure()
        return True


class _ChangedError(Exception):
    """The items to replace are not the newest any more."""


def _remove(store: SessionStore, session_id: str, old: Sequence[Event] | None, before: int, *, is_whole: bool) -> None:
    if old is None:
        store.delete_events(session_id, type=ITEM_TYPES, before=before)
        return
    count = len(old) + is_whole
    found = store.get_events(session_id, type=ITEM_TYPES, order="desc", before=before, limit=count)
    ids = [event.id for event in old]
    if [event.id for event in reversed(found)] != ids:
        raise _ChangedError
    if ids and store.delete_events(session_id, ids=ids) != len(ids):
        raise _ChangedError


def _with_items(events: Sequence[EventContent]) -> list[tuple[EventContent, Any]]:
    return [(event, item) for event in events if (item := item_of(event)) is not NO_ITEM]
