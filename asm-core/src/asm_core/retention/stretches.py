"""Iteration over a log, or over all events, a bounded number of rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asm_core.querying.queries import EventQuery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import StoredEvent
    from asm_core.retention.questions import Stretch
    from asm_core.retention.store import RetentionStore

_PAGE = 200
"""The number of events, with payloads, in memory at a time."""


def stretches(store: RetentionStore, session_id: str | None) -> Iterator[Stretch]:
    """Yield the stretches of a session's log, or with None, of all events by age."""
    stretch = store.next_stretch(session_id, None)
    while stretch is not None:
        yield stretch
        stretch = store.next_stretch(session_id, stretch.until)


def count_up_to(store: RetentionStore, session_id: str, enough: int) -> int:
    """Return the number of stored events of a session; stop counting at `enough`."""
    count = 0
    for stretch in stretches(store, session_id):
        count += stretch.count
        if count >= enough:
            break
    return count


def pages_of_events(
    store: RetentionStore, session_id: str, stretch: Stretch, types: tuple[str, ...] | None = None
) -> Iterator[list[StoredEvent]]:
    """Yield the events of a stretch of a session's log, all or only some types, page by page."""
    after = 0 if stretch.after is None else stretch.after[0]
    # With both bounds: a database without statistics would scan all following rows.
    query = EventQuery(session_ids=(session_id,), types=types, after=after, before=stretch.until[0] + 1, limit=_PAGE)
    while events := store.find_events(query):
        yield events
        if len(events) < _PAGE:
            return
        query = msgspec.structs.replace(query, after=events[-1].sequence_number)
