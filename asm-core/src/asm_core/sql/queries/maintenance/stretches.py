"""The statements that scan a session's log, or all events by age, a range of keys at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.models.base import MAX_INTEGER
from asm_core.retention import EventMark, Stretch, key_fields
from asm_core.sql.dialects import Dialect
from asm_core.sql.postgresql.arrays import array_literal
from asm_core.sql.queries.where import Where
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.models import Event
    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words

    Key = tuple[Any, ...]

_SIZE: Final = 1000
"""The number of events of a stretch, which are counted or listed in a few milliseconds."""
_NUMBERS: Final = 4 * _SIZE
"""The largest range of numbers of a stretch: pruning and restoring leave gaps."""


class StretchQueries:
    """Counts, lists and removes events by ranges of their keys."""

    def __init__(self, words: Words) -> None:
        """Use the syntax of `words`."""
        self._words = words
        self._codec = self._words.codec
        self._marked = self._words.columns("e", EventMark.__struct_fields__)
        self._keyed = self._words.columns("e", key_fields(None))

    def next_of_session(self, execute: Execute, session_id: str, after: Key | None) -> Stretch | None:
        """Return the next stretch of a session's log."""
        begin, events = 0 if after is None else after[0], self._words.events
        while True:
            part = self._between(session_id, (begin,), (min(begin + _NUMBERS, MAX_INTEGER),))
            counted = (
                f"SELECT count(*), max(stretch.sequence_number) FROM (SELECT e.sequence_number FROM {events} e "
                f"{part} ORDER BY e.sequence_number LIMIT {_SIZE}) AS stretch"
            )
            ((count, last),) = execute(counted, part.parameters).fetchall()
            if count:
                return Stretch(after=after, until=(last,), count=count)
            rest = self._between(session_id, (begin,), None)
            smallest = f"SELECT min(e.sequence_number) FROM {events} e {rest}"
            ((first,),) = execute(smallest, rest.parameters).fetchall()
            if first is None:
                return None
            begin = first - 1

    def next_of_all(self, execute: Execute, after: Key | None) -> Stretch | None:
        """Return the next stretch of all events by age."""
        rest = self._between(None, after, None)
        order = "ORDER BY e.timestamp, e.session_id, e.sequence_number"
        listed = f"SELECT {self._keyed} FROM {self._words.events} e {rest} {order}"
        count = _SIZE
        last = execute(f"{listed} LIMIT 1 OFFSET {_SIZE - 1}", rest.parameters).fetchall()
        if not last:
            last = execute(f"{listed} LIMIT {_SIZE}", rest.parameters).fetchall()
            count = len(last)
        if not last:
            return None
        time, *others = last[-1]
        return Stretch(after=after, until=(self._codec.decode_time(time), *others), count=count)

    def list_events(self, execute: Execute, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        """Return the events of a stretch, in the order of their keys."""
        part = self._between(session_id, stretch.after, stretch.until)
        order = ", ".join(f"e.{field}" for field in key_fields(session_id))
        listed = f"SELECT {self._marked} FROM {self._words.events} e {part} ORDER BY {order}"
        decode_time = self._codec.decode_time
        return [
            EventMark(id_, session, number, kind, decode_time(time), run_id)
            for id_, session, number, kind, time, run_id in execute(listed, part.parameters).fetchall()
        ]

    def remove(self, execute: Execute, events: Sequence[EventMark | Event]) -> int:
        """Remove events by session and number; return their number."""
        return execute(_REMOVE[self._words.dialect].format(self._words.events), self._listed(events)).rowcount

    def _listed(self, events: Sequence[EventMark | Event]) -> list[str]:
        sessions, numbers = [event.session_id for event in events], [event.sequence_number for event in events]
        if self._words.dialect is Dialect.POSTGRESQL:
            return [array_literal(sessions), array_literal(numbers)]
        return [encode_json(list(zip(sessions, numbers, strict=True))).decode()]

    def _between(self, session_id: str | None, after: Key | None, until: Key | None) -> Where:
        """Return the condition that an event's key is after one, and up to another."""
        where = Where(self._words)
        where.one_of("e.session_id", None if session_id is None else (session_id,))
        key = ", ".join(f"e.{field}" for field in key_fields(session_id))
        marks = ", ".join([self._words.mark] * len(key_fields(session_id)))
        for sign, bound in ((">", after), ("<=", until)):
            if bound is not None:
                where.add(f"({key}) {sign} ({marks})", *map(self._codec.encode, bound))
        return where


# Each key of a sorted list is looked up in the index, so that rows are locked in one order.
_REMOVE: Final = {
    Dialect.SQLITE: (
        "DELETE FROM {0} WHERE rowid IN (SELECT e.rowid FROM json_each(?) AS gone CROSS JOIN {0} e WHERE "
        "e.session_id = json_extract(gone.value, '$[0]') AND e.sequence_number = json_extract(gone.value, '$[1]'))"
    ),
    Dialect.POSTGRESQL: (
        "DELETE FROM {0} e USING unnest(%s::text[], %s::bigint[]) AS gone (session_id, sequence_number) "
        "WHERE e.session_id = gone.session_id AND e.sequence_number = gone.sequence_number"
    ),
}
