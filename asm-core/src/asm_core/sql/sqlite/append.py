"""The append on SQLite: the protocol of every backend on a live database for numbering and storing events.

All backends must follow it exactly: an append locks the session's counter by raising it, so that numbers are assigned
in the order of commits. The caller holds a write transaction.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, count
from typing import TYPE_CHECKING, Final

from asm_core.errors import StorageError
from asm_core.event_log.batches import number_all
from asm_core.event_log.idempotency import check_restored, ensure_idempotent, ordered, split_repeats
from asm_core.sql.dialects import Dialect
from asm_core.sql.queries.maintenance.soft_deletion import refusal
from asm_core.sql.queries.words import words_of
from asm_core.sql.rows.columns import FEW, event_columns, second_of_text, split_columns
from asm_core.sql.schema.tables import EVENT_COLUMNS
from asm_core.sql.sqlite.append_statements import (
    BEGIN_COUNT,
    INSERT_NEXT,
    INSERT_ONE,
    LOWER,
    NUMBERS,
    RAISE,
    RAISE_IN_SECOND,
    RAISE_TO,
    SELECT,
    insert_statement,
    raise_statement,
)
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.event_log.batches import Columns
    from asm_core.models import Event, StoredEvent
    from asm_core.sql.dialects import Execute

_WORDS: Final = words_of(Dialect.SQLITE)
_CODEC: Final = _WORDS.codec

_NUMBER_AT: Final = EVENT_COLUMNS.index("sequence_number")
_TIME_AT: Final = EVENT_COLUMNS.index("timestamp")
_NEVER: Final = ""
"""Earlier than any time."""

# Few sizes, so that the statements stay in the driver's cache; more rows in a statement gain nothing. Small sizes are
# those of a group commit: each statement releases the lock of the interpreter, and other threads wait for it.
_CHUNKS: Final = (500, 64, *range(FEW, 0, -1))
_ID_CHUNK: Final = 500


class StoredIdsError(Exception):
    """Some ids are stored already. The caller rolls back, and appends with `append_rest`."""


def append_events(execute: Execute, events: list[Event]) -> list[StoredEvent]:
    """Append `events` in the caller's write transaction; return each as stored, in the given order.

    There is no savepoint: with one, SQLite copies each page before it changes, half of the time of a group of eight.

    Raises:
        StoredIdsError: some ids are stored; the caller must roll back what this call wrote.
        SessionNotFoundError: a session does not exist.
        SessionDeletedError: a session is soft-deleted.
        AlreadyExistsError: an id is stored, or occurs twice, with another session, run, type or data.
    """
    if len(events) == 1:
        return [_append_one(execute, events[0])]
    first, repeats = split_repeats(events)
    numbers, inserted = _number_and_insert(execute, first)
    if inserted < len(first):
        raise StoredIdsError
    stored = number_all(first, numbers)
    return ordered(events, stored) if repeats else stored


def append_rest(execute: Execute, events: list[Event]) -> list[StoredEvent]:
    """Work like `append_events`, where some ids are stored: look for them first."""
    first, _ = split_repeats(events)
    stored = _stored(execute, first)
    rest = []
    for event in first:
        if event.id in stored:
            ensure_idempotent(stored[event.id], event)
        else:
            rest.append(event)
    if rest:
        numbers, inserted = _number_and_insert(execute, rest)
        _check_all(rest, inserted)
        stored |= {event.id: event for event in number_all(rest, numbers)}
    return ordered(events, stored.values())


def restore_events(execute: Execute, session_id: str, events: list[Event], last_sequence: int) -> int:
    """Store numbered events, and raise the session's counter; return the number of new events.

    Raises:
        AlreadyExistsError: another event has an id or a number.
    """
    first, _ = split_repeats(events)
    fresh = check_restored(first, _stored(execute, first), lambda low, high: _numbers(execute, session_id, low, high))
    active_at = _NEVER
    if fresh:
        columns = {**event_columns(fresh), "sequence_number": [event.sequence_number for event in fresh]}
        active_at = second_of_text(columns["timestamp"])
        _check_all(fresh, _insert(execute, columns))
    execute(RAISE_TO, (last_sequence, active_at, session_id))
    return len(fresh)


def _append_one(execute: Execute, event: Event) -> StoredEvent:
    row = _CODEC.event_row(event)
    before, after = row[:_NUMBER_AT], row[_NUMBER_AT + 1 :]
    now, active_at = _CODEC.encode_time(utc_now()), second_of_text([row[_TIME_AT]])
    raised = execute(RAISE_IN_SECOND, (1, now, active_at, event.session_id)).fetchall()
    if raised:
        number: int = raised[0][0]
        if execute(INSERT_ONE, (*before, number, *after)).rowcount:
            return event.numbered(number)
        execute(LOWER, (event.session_id,))
    found = execute(INSERT_NEXT, (*before, *after, event.session_id)).fetchall()
    if found:
        _raise(execute, event.session_id, 1, now, active_at)
        return event.numbered(found[0][0])
    # The id is stored, or the counter is deleted or missing. A repeat is no activity.
    _raise(execute, event.session_id, 0, now, _NEVER)
    stored = _stored(execute, [event]).get(event.id)
    return _append_one(execute, event) if stored is None else ensure_idempotent(stored, event)


def _check_all(events: Sequence[Event], inserted: int) -> None:
    """Check that all events were inserted, because none of their ids is stored."""
    if inserted < len(events):
        sessions = ", ".join(sorted({event.session_id for event in events}))
        message = f"A number above the counter of its session is already in use, in {sessions}. Run `asm health`."
        raise StorageError(message)


def _number_and_insert(execute: Execute, events: list[Event]) -> tuple[Sequence[int], int]:
    """Insert events; return their numbers, and the count of inserted rows."""
    columns = event_columns(events)
    numbers = _take_numbers(execute, columns["session_id"], columns["timestamp"])
    return numbers, _insert(execute, {**columns, "sequence_number": numbers})


def _take_numbers(execute: Execute, session_ids: Sequence[str], times: Sequence[str]) -> Sequence[int]:
    """Return the next numbers of each session; lock the counters in the order of the session ids."""
    now = _CODEC.encode_time(utc_now())
    sizes = Counter(session_ids)
    if len(sizes) == 1:
        last = _raise(execute, session_ids[0], len(session_ids), now, second_of_text(times))
        return range(last - len(session_ids) + 1, last + 1)
    # The last of equal keys stays: the latest time.
    latest = dict(sorted(zip(session_ids, times, strict=True)))
    raises = [(each, sizes[each], second_of_text([time])) for each, time in latest.items()]
    raised = _raise_several(execute, raises, now)
    numbers = {session_id: count(raised[session_id] - size + 1) for session_id, size in sizes.items()}
    return [next(numbers[session_id]) for session_id in session_ids]


def _raise_several(execute: Execute, raises: list[tuple[str, int, str]], now: str) -> dict[str, int]:
    """Raise the counters of sessions by a size each, at a time; return the last number of each."""
    last: dict[str, int] = {}
    for in_second in (True, False):
        rest = [each for each in raises if each[0] not in last] if last else raises
        for start in range(0, len(rest), FEW):
            some = rest[start : start + FEW]
            statement = raise_statement(len(some), in_second=in_second)
            last |= execute(statement, [*chain.from_iterable(some), now]).fetchall()
    for session_id, size, time in raises:
        if session_id not in last:  # the counter is deleted or missing
            last[session_id] = _raise(execute, session_id, size, now, time)
    return last


def _raise(execute: Execute, session_id: str, size: int, now: str, active_at: str) -> int:
    """Raise the counter of a session, which locks it until the commit; return the last number."""
    parameters = (size, now, active_at, session_id)
    rows = (
        execute(RAISE_IN_SECOND, parameters).fetchall()
        or execute(RAISE, parameters).fetchall()
        or execute(BEGIN_COUNT, parameters).fetchall()
    )
    if not rows:
        raise refusal(execute, _WORDS, session_id)
    last: int = rows[0][0]
    return last


def _insert(execute: Execute, columns: Columns) -> int:
    """Insert rows except those whose id or number exists; return the number of inserted rows.

    Shared values are bound once rather than for each row: half the time for the events of a stream.
    """
    if len(columns["id"]) <= FEW:
        return _insert_few(execute, columns)
    shared, own = split_columns(columns)
    values = list(chain.from_iterable(zip(*own.values(), strict=True)))
    inserted, start = 0, 0
    for size in _CHUNKS:
        width = size * len(own)
        while len(values) - start >= width:
            statement = insert_statement(tuple(shared), tuple(own), size)
            inserted += execute(statement, [*shared.values(), *values[start : start + width]]).rowcount
            start += width
    return inserted


def _insert_few(execute: Execute, columns: Columns) -> int:
    values = list(chain.from_iterable(zip(*columns.values(), strict=True)))
    return execute(insert_statement((), tuple(columns), len(columns["id"])), values).rowcount


def _stored(execute: Execute, events: list[Event]) -> dict[str, StoredEvent]:
    found = {}
    for start in range(0, len(events), _ID_CHUNK):
        ids = [event.id for event in events[start : start + _ID_CHUNK]]
        rows = execute(f"{SELECT}id IN ({', '.join('?' * len(ids))})", ids).fetchall()
        found.update({row[0]: _CODEC.event(row) for row in rows})
    return found


def _numbers(execute: Execute, session_id: str, low: int, high: int) -> set[int]:
    return {row[0] for row in execute(NUMBERS, (session_id, low, high)).fetchall()}
