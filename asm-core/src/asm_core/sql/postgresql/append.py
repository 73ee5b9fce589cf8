"""The append on PostgreSQL: one statement raises the counters and stores any number of events.

It follows the same protocol as the append on SQLite: an append holds the lock of the session's counter until the
commit, so that numbers are assigned in the order of commits. There is no lookup of ids: an id that is stored, or that
another writer is storing, makes the statement fail as a whole, counters included, and only then is it identified.

Writers cannot deadlock, because all lock in one order: first sessions, then counters, then events, each by id. An
append locks no session, so it cannot create a counter: the foreign key would lock the session, while a removal of the
session waits for the append's other counters. If a counter does not exist yet, nothing is done, and the first append to
a session takes the longer path.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import SessionDeletedError, SessionNotFoundError, StorageError
from asm_core.event_log.batches import number_all
from asm_core.event_log.idempotency import check_restored, ensure_idempotent, ordered, split_repeats
from asm_core.sql.codec import codec_of
from asm_core.sql.columns import event_columns, split_columns
from asm_core.sql.dialects import Dialect
from asm_core.sql.postgresql.arrays import array_literal
from asm_core.sql.schema.tables import EVENT_COLUMNS
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from asm_core.event_log.batches import Columns
    from asm_core.models import Event
    from asm_core.sql.dialects import Execute

    Executing = Callable[[], AbstractContextManager[Execute]]

_CODEC: Final = codec_of(Dialect.POSTGRESQL)
_TRIES: Final = 100

CHANNEL: Final = "asm_appended"
"""The channel for notifications of new events, which the server sends with the commit."""
_TELLING: Final = f", pg_notify('{CHANNEL}', session_id)"
"""Added after the last column of RETURNING; the server merges equal notifications of a transaction."""
_TELL: Final = f"SELECT pg_notify('{CHANNEL}', %s::text)"

_TYPES: Final = {"timestamp": "timestamptz", "schema_version": "bigint", "sequence_number": "bigint"}
_GIVEN: Final = tuple(name for name in EVENT_COLUMNS if name != "sequence_number")
_JSON: Final = ("data", "metadata")
_APPEND_ONE: Final = f"""\
WITH counter AS (
    UPDATE asm_session_sequences SET last_sequence = last_sequence + 1, updated_at = %s::timestamptz
    WHERE session_id = %s::text AND deleted_at IS NULL RETURNING last_sequence
)
INSERT INTO asm_events ({", ".join(_GIVEN)}, sequence_number)
SELECT {", ".join(f"%s::{'json' if name in _JSON else _TYPES.get(name, 'text')}" for name in _GIVEN)}, last_sequence
FROM counter
RETURNING sequence_number"""
"""Nearly twice as fast as `_append_statement` of one event."""
_APPEND_TO_SEVERAL: Final = f"""\
WITH given AS (
    SELECT *, count(*) OVER of_session AS events, row_number() OVER (of_session ORDER BY place) AS nth
    FROM unnest({", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in _GIVEN)})
    WITH ORDINALITY AS events ({", ".join(_GIVEN)}, place)
    WINDOW of_session AS (PARTITION BY session_id)
), sessions AS (
    SELECT session_id, max(events) AS events,
        (
            SELECT deleted_at IS NULL FROM asm_session_sequences AS counter
            WHERE counter.session_id = given.session_id
        ) AS counted
    FROM given GROUP BY session_id
), counters AS (
    INSERT INTO asm_session_sequences AS counter (session_id, last_sequence, updated_at)
    SELECT session_id, events, %s::timestamptz FROM sessions
    WHERE (SELECT bool_and(counted IS TRUE) FROM sessions) ORDER BY session_id COLLATE "C"
    ON CONFLICT (session_id) DO UPDATE
    SET last_sequence = CASE WHEN counter.deleted_at IS NULL THEN counter.last_sequence + excluded.last_sequence END,
    updated_at = excluded.updated_at
    RETURNING session_id, last_sequence
)
INSERT INTO asm_events ({", ".join(_GIVEN)}, sequence_number)
SELECT {", ".join(f"{name}::json" if name in _JSON else name for name in _GIVEN)}, last_sequence - given.events + nth
FROM given JOIN counters USING (session_id) ORDER BY id COLLATE "C"
RETURNING id, sequence_number"""
"""A counter is never null: if a session was deleted during the wait for its counter, the statement fails."""
_COUNTER: Final = "SELECT last_sequence FROM counter"
_TELLING_COUNTER: Final = f"SELECT last_sequence{_TELLING} FROM counter"
_APPEND_ONE_TELLING: Final = _APPEND_ONE + _TELLING
_APPEND_TO_SEVERAL_TELLING: Final = _APPEND_TO_SEVERAL + _TELLING

_READ: Final = {"data": "data::text", "metadata": "metadata::text", "timestamp": "timestamp AT TIME ZONE 'UTC'"}
_COLUMNS: Final = ", ".join(_READ.get(name, name) for name in EVENT_COLUMNS)
_STORED: Final = f"SELECT {_COLUMNS} FROM asm_events WHERE id = ANY(%s)"
_NUMBERS: Final = "SELECT sequence_number FROM asm_events WHERE session_id = %s AND sequence_number BETWEEN %s AND %s"
_RESTORE: Final = f"""\
INSERT INTO asm_events ({", ".join(EVENT_COLUMNS)})
SELECT {", ".join(f"{name}::json" if name in _JSON else name for name in EVENT_COLUMNS)}
FROM unnest({", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in EVENT_COLUMNS)})
AS events ({", ".join(EVENT_COLUMNS)})"""
_RAISE_TO: Final = (
    "INSERT INTO asm_session_sequences AS counter (session_id, last_sequence, updated_at) VALUES (%s, %s, %s) "
    "ON CONFLICT (session_id) DO UPDATE SET last_sequence = GREATEST(counter.last_sequence, excluded.last_sequence)"
)
_LOCK: Final = """\
INSERT INTO asm_session_sequences AS counter (session_id, last_sequence, updated_at)
SELECT id, 0, %s::timestamptz FROM asm_sessions WHERE id = ANY(%s) ORDER BY id
ON CONFLICT (session_id) DO UPDATE SET last_sequence = counter.last_sequence
RETURNING session_id, deleted_at IS NOT NULL"""
_SESSIONS: Final = (
    "SELECT id, deleted_at IS NOT NULL, removing_at IS NOT NULL FROM asm_sessions WHERE id = ANY(%s) "
    "ORDER BY id FOR KEY SHARE"
)

_COLLISION: Final = {"23502", "23503", "23505"}
"""The SQLSTATEs of a deleted counter (not null), a missing session, and an existing id."""


def append_events(
    statement: Executing, transaction: Executing, events: list[Event], *, notify: bool = False
) -> list[Event]:
    """Append `events`; return each as stored, in the given order.

    Args:
        statement: opens a context for one statement that commits or rolls back by itself: without a transaction, or in
            a savepoint of the caller's.
        transaction: opens a transaction, or a savepoint of the caller's.
        events: checked events without numbers.
        notify: notify the channel of the sessions.

    Raises:
        SessionNotFoundError: a session does not exist.
        SessionDeletedError: a session is soft-deleted.
        AlreadyExistsError: an id is stored, or occurs twice, with another session, run, type or data.
    """
    first, repeats = split_repeats(events)
    stored = _append_new(statement, first, notify=notify)
    for _ in range(_TRIES):
        if stored is not None:
            return ordered(events, stored) if repeats else stored
        stored = _append_rest(transaction, first, notify=notify)
    message = f"Other writers stored events with the same ids {_TRIES} times. Retry."
    raise StorageError(message)


def restore_events(
    execute: Execute, session_id: str, events: list[Event], last_sequence: int, *, notify: bool = False
) -> int:
    """Store numbered events, and raise the session's counter; return the number of new events.

    With `notify`, notify the channel of the session.

    Raises:
        AlreadyExistsError: another event has an id or a number.
    """
    execute(_RAISE_TO, (session_id, last_sequence, utc_now()))
    first, _ = split_repeats(events)
    fresh = check_restored(first, _stored(execute, first), lambda low, high: _numbers(execute, session_id, low, high))
    if fresh:
        columns = {
            **event_columns(fresh),
            "sequence_number": [event.sequence_number for event in fresh],
        }
        execute(_RESTORE, [array_literal(columns[name]) for name in EVENT_COLUMNS])
    if notify:
        execute(_TELL, (session_id,))
    return len(fresh)


def _stored(execute: Execute, events: list[Event]) -> dict[str, Event]:
    rows = execute(_STORED, ([event.id for event in events],)).fetchall()
    return {row[0]: _CODEC.event(row) for row in rows}


def _numbers(execute: Execute, session_id: str, low: int, high: int) -> set[int]:
    return {row[0] for row in execute(_NUMBERS, (session_id, low, high)).fetchall()}


def _append_new(statement: Executing, events: list[Event], *, notify: bool) -> list[Event] | None:
    """Append events; return None without effect if an id is stored, or a counter does not accept them."""
    try:
        with statement() as execute:
            return _append(execute, events, notify=notify) or None
    except Exception as error:
        if not is_collision(error):
            raise
        return None


def _append_rest(transaction: Executing, events: list[Event], *, notify: bool) -> list[Event] | None:
    """Append the events that are not stored; return None without effect if another writer just stored one."""
    try:
        with transaction() as execute:
            _lock_counters(execute, sorted({event.session_id for event in events}))
            stored = _stored(execute, events)
            for event in events:
                if event.id in stored:
                    ensure_idempotent(stored[event.id], event)
            new = _append(execute, [event for event in events if event.id not in stored], notify=notify)
            return ordered(events, [*stored.values(), *new])
    except Exception as error:
        if not is_collision(error):
            raise
        return None


def _lock_counters(execute: Execute, session_ids: list[str]) -> None:
    """Lock the counters in the common order, and create missing ones."""
    known = {row[0]: row[1:] for row in execute(_SESSIONS, (session_ids,)).fetchall()}
    for session_id in session_ids:
        if session_id not in known:
            raise SessionNotFoundError(session_id)
        is_deleted, in_removal = known[session_id]
        if is_deleted:
            raise SessionDeletedError(session_id, in_removal=in_removal)
    for session_id, is_deleted in sorted(execute(_LOCK, (utc_now(), session_ids)).fetchall()):
        if is_deleted:
            raise SessionDeletedError(session_id)


def _append(execute: Execute, events: list[Event], *, notify: bool) -> list[Event]:
    """Append events and return them as stored; return none without effect if a counter does not accept them."""
    if not events:
        return []
    if len(events) == 1:
        return _append_one(execute, events[0], notify=notify)
    columns, now = event_columns(events), utc_now()
    shared, own = split_columns(columns)
    if "session_id" in shared:
        return _append_to_one(execute, events, shared, own, notify=notify)
    arrays = [array_literal(columns[name]) for name in _GIVEN]
    rows = execute(_APPEND_TO_SEVERAL_TELLING if notify else _APPEND_TO_SEVERAL, (*arrays, now)).fetchall()
    if not rows:
        return []
    numbers = {row[0]: row[1] for row in rows}
    return number_all(events, [numbers[event.id] for event in events])


def _append_one(execute: Execute, event: Event, *, notify: bool) -> list[Event]:
    id_, session_id, _, *given = _CODEC.event_row(event)
    parameters = (utc_now(), session_id, id_, session_id, *given)
    found = execute(_APPEND_ONE_TELLING if notify else _APPEND_ONE, parameters).fetchall()
    return [event.numbered(number) for number, *_ in found]


def _append_to_one(
    execute: Execute, events: list[Event], shared: dict[str, Any], own: Columns, *, notify: bool
) -> list[Event]:
    size, ids = len(events), list(own["id"])
    statement = _append_statement(tuple(shared), tuple(own), is_sorted=ids == sorted(ids))
    lists = [_list_parameter(name, values) for name, values in own.items()]
    parameters = (size, utc_now(), shared["session_id"], *shared.values(), size, *lists)
    found = execute(statement + (_TELLING_COUNTER if notify else _COUNTER), parameters).fetchall()
    if not found:
        return []
    last: int = found[0][0]
    return number_all(events, range(last - size + 1, last + 1))


@lru_cache(maxsize=128)
def _append_statement(shared: tuple[str, ...], own: tuple[str, ...], *, is_sorted: bool) -> str:
    """Build the append to one session, without its RETURNING clause.

    Shared values are sent once, and the others as one array for each column. JSON, which has many quotes, is sent as
    lines, which saves a tenth of the time. Sorted ids need no ORDER BY.
    """
    values = [*(f"%s::{_TYPES.get(name, 'text')}" for name in shared), *own]
    casts = ["::json" if name in _JSON else "" for name in (*shared, *own)]
    return f"""\
WITH counter AS (
    UPDATE asm_session_sequences SET last_sequence = last_sequence + %s, updated_at = %s::timestamptz
    WHERE session_id = %s::text AND deleted_at IS NULL RETURNING session_id, last_sequence
), stored AS (
    INSERT INTO asm_events ({", ".join((*shared, *own))}, sequence_number)
    SELECT {", ".join(map(str.__add__, values, casts))}, last_sequence - %s::bigint + place
    FROM counter, unnest({", ".join(map(_list_mark, own))})
    WITH ORDINALITY AS given ({", ".join(own)}, place){"" if is_sorted else ' ORDER BY id COLLATE "C"'}
)
"""


def _list_mark(column: str) -> str:
    """Return the placeholder for the values of a column, which are an array."""
    return "string_to_array(%s::text, chr(10))" if column in _JSON else f"%s::{_TYPES.get(column, 'text')}[]"


def _list_parameter(column: str, values: Sequence[Any]) -> str:
    """Return the parameter for that placeholder; core's JSON contains no newlines."""
    return "\n".join(values) if column in _JSON else array_literal(values)


def is_collision(error: BaseException | None) -> bool:
    """Return whether the driver's error, or its translation, is a collision."""
    while error is not None:
        if (getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)) in _COLLISION:
            return True
        error = error.__cause__
    return False
