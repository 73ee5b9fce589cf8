"""The append on SQLite: the protocol by which every backend on a live database numbers and stores events.

It stands here once because all of them must follow it to the letter: whoever appends locks the session's counter by
raising it, so that numbers are given out in the order of commits. The caller holds a write transaction.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final

from asm_core.conflicts import check_restored, check_same_event, split_repeats
from asm_core.errors import SessionNotFoundError
from asm_core.payloads import encode_json
from asm_core.sql.codec import codec_of
from asm_core.sql.dialects import Dialect
from asm_core.sql.tables import EVENT_COLUMNS
from asm_core.times import utc_now

if TYPE_CHECKING:
    from asm_core.models import Event
    from asm_core.sql.dialects import Execute

_CODEC: Final = codec_of(Dialect.SQLITE)

_RAISE: Final = (
    "UPDATE asm_session_sequences SET last_sequence = last_sequence + ?, updated_at = ? WHERE session_id = ? "
    "RETURNING last_sequence"
)
_BEGIN_COUNT: Final = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) "
    "SELECT id, ?, ? FROM asm_sessions WHERE id = ? RETURNING last_sequence"
)
_RAISE_TO: Final = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) VALUES (?, ?, ?) "
    "ON CONFLICT (session_id) DO UPDATE SET last_sequence = MAX(last_sequence, excluded.last_sequence)"
)
_NUMBERS: Final = "SELECT sequence_number FROM asm_events WHERE session_id = ? AND sequence_number BETWEEN ? AND ?"
_COLUMNS: Final = ", ".join(EVENT_COLUMNS)
_PLACES: Final = f"({', '.join('?' * len(EVENT_COLUMNS))})"
_SELECT: Final = f"SELECT {_COLUMNS} FROM asm_events WHERE "

# Several rows in one statement cost two thirds of as many statements; few sizes stay in the driver's statement cache.
_CHUNKS: Final = (64, 8, 1)
_INSERTS: Final = {
    size: f"INSERT INTO asm_events ({_COLUMNS}) VALUES {', '.join([_PLACES] * size)} ON CONFLICT (id) DO NOTHING"
    for size in _CHUNKS
}

# Where events differ in nothing else, one parameter brings id, time and data of all of them: the driver binds no values
# one by one, and holds Python's lock for a quarter of the time.
_SHARED: Final = ("session_id", "type", "run_id", "metadata", "schema_version", "provider", "correlation_id")
_OWN: Final = ("id", "timestamp", "data")
_INSERT_ALIKE: Final = (
    f"INSERT INTO asm_events ({', '.join(_SHARED)}, {', '.join(_OWN)}, sequence_number) "
    f"SELECT {', '.join('?' * len(_SHARED))}, "
    "json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), ? + key "
    "FROM json_each(?) WHERE true ON CONFLICT (id) DO NOTHING"
)
_MOST_CHARACTERS: Final = 1 << 24
_ID_CHUNK: Final = 500


def append_events(execute: Execute, events: list[Event]) -> list[Event]:
    """Append `events`, in the caller's write transaction; return each as stored, in the order given.

    Raises:
        SessionNotFoundError: a session does not exist.
        AlreadyExistsError: an id is stored, or occurs twice, with another session, run, type or data.
    """
    if len(events) == 1:
        return [_append_one(execute, events[0])]
    first, repeats = split_repeats(events)
    execute("SAVEPOINT asm_append")
    numbered = _number(execute, first)
    if _insert(execute, numbered) == len(numbered):
        execute("RELEASE asm_append")
        stored = numbered
    else:
        # Some are stored already: only now is it worth asking which.
        execute("ROLLBACK TO asm_append")
        execute("RELEASE asm_append")
        stored = _append_rest(execute, first)
    if not repeats:
        return stored
    found = {event.id: event for event in stored}
    return [found[event.id] for event in events]


def restore_events(execute: Execute, session_id: str, events: list[Event], last_sequence: int) -> int:
    """Store events with the numbers they bear, and raise the session's counter; return how many were new.

    Raises:
        AlreadyExistsError: an id or a number is taken by another event.
    """
    first, _ = split_repeats(events)
    fresh = check_restored(first, _stored(execute, first), lambda low, high: _numbers(execute, session_id, low, high))
    _insert(execute, fresh)
    execute(_RAISE_TO, (session_id, last_sequence, _CODEC.encode_time(utc_now())))
    return len(fresh)


def _append_one(execute: Execute, event: Event) -> Event:
    numbered = _number(execute, [event])[0]
    if execute(_INSERTS[1], _CODEC.event_row(numbered)).rowcount == 1:
        return numbered
    execute(_RAISE, (-1, _CODEC.encode_time(utc_now()), event.session_id)).fetchall()
    return check_same_event(_stored(execute, [event])[event.id], event)


def _append_rest(execute: Execute, events: list[Event]) -> list[Event]:
    stored = _stored(execute, events)
    rest = []
    for event in events:
        if event.id in stored:
            check_same_event(stored[event.id], event)
        else:
            rest.append(event)
    numbered = _number(execute, rest)
    _insert(execute, numbered)
    new = {event.id: event for event in numbered}
    return [stored.get(event.id) or new[event.id] for event in events]


def _number(execute: Execute, events: list[Event]) -> list[Event]:
    """Give each event the next number of its session, locking the counters in the order of the session ids."""
    counts = Counter(event.session_id for event in events)
    now = _CODEC.encode_time(utc_now())
    numbers = {}
    for session_id in sorted(counts):
        parameters = (counts[session_id], now, session_id)
        rows = execute(_RAISE, parameters).fetchall() or execute(_BEGIN_COUNT, parameters).fetchall()
        if not rows:
            raise SessionNotFoundError(session_id)
        numbers[session_id] = count(rows[0][0] - counts[session_id] + 1)
    return [event.numbered(next(numbers[event.session_id])) for event in events]


def _insert(execute: Execute, events: list[Event]) -> int:
    """Insert events that bear their numbers, but none whose id is there; return how many."""
    columns = _CODEC.event_columns(events)
    if len(events) > _CHUNKS[0] and _are_alike(columns):
        shared = [columns[name][0] for name in _SHARED]
        own = encode_json([*zip(*(columns[name] for name in _OWN), strict=True)]).decode()
        return execute(_INSERT_ALIKE, (*shared, columns["sequence_number"][0], own)).rowcount
    rows = list(zip(*(columns[name] for name in EVENT_COLUMNS), strict=True))
    inserted, start = 0, 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            parameters = list(chain.from_iterable(rows[start : start + size]))
            inserted += execute(_INSERTS[size], parameters).rowcount
            start += size
    return inserted


def _are_alike(columns: dict[str, list[Any]]) -> bool:
    first, size = columns["sequence_number"][0], len(columns["id"])
    return (
        all(columns[name].count(columns[name][0]) == size for name in _SHARED)
        and columns["sequence_number"] == list(range(first, first + size))
        and sum(map(len, columns["data"])) <= _MOST_CHARACTERS
    )


def _stored(execute: Execute, events: list[Event]) -> dict[str, Event]:
    found = {}
    for start in range(0, len(events), _ID_CHUNK):
        ids = [event.id for event in events[start : start + _ID_CHUNK]]
        rows = execute(f"{_SELECT}id IN ({', '.join('?' * len(ids))})", ids).fetchall()
        found.update({row[0]: _CODEC.event(row) for row in rows})
    return found


def _numbers(execute: Execute, session_id: str, low: int, high: int) -> set[int]:
    return {row[0] for row in execute(_NUMBERS, (session_id, low, high)).fetchall()}
