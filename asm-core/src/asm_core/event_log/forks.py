"""The copy of a session's prefix under new ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.errors import SessionNotFoundError, ValidationError
from asm_core.models import Session
from asm_core.models.session import STAMP_KEY
from asm_core.querying.heads import GONE
from asm_core.querying.queries import EventQuery
from asm_core.values.ids import new_id, new_ids
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.models import Event
    from asm_core.querying.reader import Reader

MAX_FORK_EVENTS: Final = 10_000
"""The largest number of events that a fork copies by default: one transaction holds them."""


def fork(reader: Reader, session_id: str, at: int | None, most: int) -> tuple[Session, list[Event], int]:
    """Return a new session, copies of the events up to number `at`, and the last number of the copy.

    Events of one run have one new run id. That run is not stored, so its usage does not count twice.

    Raises:
        SessionNotFoundError: the session does not exist.
        ValidationError: `at` is after the last number, or there are more than `most` events.
    """
    head = reader.load_heads([session_id]).get(session_id, GONE)
    original = reader.load_session(session_id)
    if original is None or head == GONE:
        raise SessionNotFoundError(session_id)
    last = head.last_sequence if at is None else at
    if last > head.last_sequence:
        message = f"at is {last}, but the last number of session {session_id} is {head.last_sequence}. Lower it."
        raise ValidationError(message)
    query = EventQuery(session_ids=(session_id,), before=last + 1, limit=most + 1)
    events = [] if last == 0 else reader.find_events(query)
    if len(events) > most:
        message = (
            f"Session {session_id} has more than {most} events up to number {last}. One transaction copies them: raise "
            "max_events, or fork at a smaller number."
        )
        raise ValidationError(message)
    copy = _copy_of(original)
    return copy, _copies(events, copy.id), last


def _copy_of(original: Session) -> Session:
    now = utc_now()
    return Session.new(
        id=new_id("ses"),
        agent_id=original.agent_id,
        user_id=original.user_id,
        title=original.title,
        parent_session_id=original.id,
        metadata={key: value for key, value in original.metadata.items() if key != STAMP_KEY},
        context=original.context,
        tags=original.tags,
        created_at=now,
        updated_at=now,
    )


def _copies(events: Sequence[Event], session_id: str) -> list[Event]:
    runs = {run_id: new_id("run") for run_id in dict.fromkeys(event.run_id for event in events) if run_id is not None}
    ids = new_ids("evt", len(events)) if events else []
    return [
        msgspec.structs.replace(event, id=event_id, session_id=session_id, run_id=event.run_id and runs[event.run_id])
        for event, event_id in zip(events, ids, strict=True)
    ]
