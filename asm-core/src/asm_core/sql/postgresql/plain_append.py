"""The plain append: two statements for each session, which a distributed PostgreSQL can send to one of its servers.

It follows the protocol of `append`: first the counters, then the events, each in the order of their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.rows.codec import codec_of
from asm_core.values.times import second_of, utc_now

if TYPE_CHECKING:
    from asm_core.models import Event, StoredEvent
    from asm_core.sql.dialects import Execute
    from asm_core.sql.postgresql.append_statements import AppendStatements

_CODEC: Final = codec_of(Dialect.POSTGRESQL)
_ROWS: Final = 200
"""The number of events in one statement: each has eleven parameters, and a statement at most 65,535."""


class UncountedError(Exception):
    """A counter does not accept events, so the transaction must be rolled back; it counts as a collision."""

    sqlstate = "23502"


def append_plainly(execute: Execute, events: list[Event], statements: AppendStatements) -> list[StoredEvent]:
    """Append events without repeats, in the caller's transaction; return them as stored.

    Raises:
        UncountedError: a counter does not exist, or its session is deleted.
    """
    by_session: dict[str, list[Event]] = {}
    for event in events:
        by_session.setdefault(event.session_id, []).append(event)
    stored: dict[str, StoredEvent] = {}
    for session_id in sorted(by_session):
        own = by_session[session_id]
        latest = second_of(max(event.timestamp for event in own))
        found = execute(statements.raise_by, (len(own), utc_now(), latest, session_id)).fetchall()
        if not found:
            raise UncountedError
        before = found[0][0] - len(own)
        stored |= {event.id: event.numbered(before + place) for place, event in enumerate(own, 1)}
    for session_id in sorted(by_session):
        ids = sorted(event.id for event in by_session[session_id])
        for begin in range(0, len(ids), _ROWS):
            rows = [_CODEC.event_row(stored[id_]) for id_ in ids[begin : begin + _ROWS]]
            execute(statements.insert(len(rows)), [value for row in rows for value in row])
        if statements.notifies:
            execute(statements.notify, (session_id,))
    return [stored[event.id] for event in events]
