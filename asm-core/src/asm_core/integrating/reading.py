"""Reads of what events contain, for integrations that need no whole events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.querying.queries import EVENT_ORDERS, EventQuery
from asm_core.values.ids import check_name

if TYPE_CHECKING:
    from asm_core.ports.session_store import SessionStore
    from asm_core.querying.contents import EventContent, Latest

_UP: Final = EVENT_ORDERS["sequence_asc"]
_DOWN: Final = EVENT_ORDERS["sequence_desc"]


def read_contents(
    store: SessionStore, session_id: str, *, before: int | None = None, last: int | None = None
) -> list[EventContent]:
    """Return the contents of all events of a log by their numbers, or of the last ones, the newest first.

    An unknown session has none.

    Args:
        store: the session store.
        session_id: the session.
        before: only events before this number.
        last: only that many of the last events, at least 1.
    """
    order = _UP if last is None else _DOWN
    ids = (check_name("session_id", session_id),)
    return store.reader.find_contents(EventQuery(session_ids=ids, before=before, limit=last, order=order))


def read_latest(store: SessionStore, session_id: str, event_type: str) -> Latest | None:
    """Return the last event of a type, and the events of the log that have its id as their correlation id.

    Both are from one read. None if the log has no such event, or the session does not exist.
    """
    return store.reader.load_latest(check_name("session_id", session_id), event_type)
