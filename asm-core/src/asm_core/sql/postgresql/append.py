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

import re
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import SessionDeletedError, SessionNotFoundError, StorageError
from asm_core.event_log.batches import number_all
from asm_core.event_log.idempotency import check_restored, ensure_idempotent, ordered, split_repeats
from asm_core.sql.dialects import Dialect
from asm_core.sql.postgresql.append_statements import GIVEN, JSON
from asm_core.sql.postgresql.arrays import array_literal
from asm_core.sql.postgresql.plain_append import append_plainly
from asm_core.sql.rows.codec import codec_of
from asm_core.sql.rows.columns import event_columns, second_of_text, split_columns
from asm_core.sql.schema.tables import EVENT_COLUMNS
from asm_core.values.times import second_of, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from asm_core.event_log.batches import Columns
    from asm_core.models import Event, StoredEvent
    from asm_core.sql.dialects import Execute
    from asm_core.sql.postgresql.append_statements import AppendStatements

    Executing = Callable[[], AbstractContextManager[Execute]]

_CODEC: Final = codec_of(Dialect.POSTGRESQL)
_TRIES: Final = 100

_COLLISION: Final = {"23502", "23503", "23505"}
"""The SQLSTATEs of a deleted counter (not null), a missing session, and an existing id."""
_INTERNAL: Final = "XX000"
"""The SQLSTATE under which the coordinator of a distributed PostgreSQL may report the error of another server."""
_OF_A_KEY: Final = re.compile(r"\basm_\w+_(?:pkey|key|fkey)(?:_\d+)?\b|not-null constraint")
"""The name of a key in the message of an error, in any language; a distributed table adds a number to it."""


def append_events(
    statement: Executing, transaction: Executing, events: list[Event], statements: AppendStatements
) -> list[StoredEvent]:
    """Append `events`; return each as stored, in the given order.

    Args:
        statement: opens a context for one statement that commits or rolls back by itself: without a transaction, or in
            a savepoint of the caller's.
        transaction: opens a transaction, or a savepoint of the caller's.
        events: checked events without numbers.
        statements: what to execute.

    Raises:
        SessionNotFoundError: a session does not exist.
        SessionDeletedError: a session is soft-deleted.
        AlreadyExistsError: an id is stored, or occurs twice, with another session, run, type or data.
    """
    first, repeats = split_repeats(events)
    stored = _append_new(transaction if statements.plainly else statement, first, statements)
    for _ in range(_TRIES):
        if stored is not None:
            return ordered(events, stored) if repeats else stored
        stored = _append_rest(transaction, first, statements)
    message = f"Other writers stored events with the same ids {_TRIES} times. Retry."
    raise StorageError(message)


def restore_events(
    execute: Execute, session_id: str, events: list[Event], last_sequence: int, statements: AppendStatements
) -> int:
    """Store numbered events, and raise the session's counter; return the number of new events.

    Raises:
        AlreadyExistsError: another event has an id or a number.
    """
    execute(statements.raise_to, (last_sequence, None, session_id))
    first, _ = split_repeats(events)
    fresh = check_restored(
        first,
        _stored(execute, first, statements),
        lambda low, high: {row[0] for row in execute(statements.numbers, (session_id, low, high)).fetchall()},
    )
    if fresh:
        columns = {
            **event_columns(fresh),
            "sequence_number": [event.sequence_number for event in fresh],
        }
        execute(statements.raise_to, (last_sequence, second_of_text(columns["timestamp"]), session_id))
        execute(statements.restore, [array_literal(columns[name]) for name in EVENT_COLUMNS])
    if statements.notifies:
        execute(statements.notify, (session_id,))
    return len(fresh)


def refuse_elsewhere(execute: Execute, events: list[Event], statements: AppendStatements) -> None:
    """Raise AlreadyExistsError if another session has an event with the id of one of these."""
    rows = execute(statements.elsewhere, ([event.id for event in events],)).fetchall()
    stored = {row[0]: _CODEC.event(row) for row in rows}
    for event in events:
        if event.id in stored and stored[event.id].session_id != event.session_id:
            ensure_idempotent(stored[event.id], event)


def _stored(execute: Execute, events: list[Event], statements: AppendStatements) -> dict[str, StoredEvent]:
    by_session: dict[str, list[str]] = {}
    for event in events:
        by_session.setdefault(event.session_id, []).append(event.id)
    found = [
        row
        for session_id, ids in by_session.items()
        for row in execute(statements.stored, (ids, session_id)).fetchall()
    ]
    return {row[0]: _CODEC.event(row) for row in found}


def _append_new(statement: Executing, events: list[Event], statements: AppendStatements) -> list[StoredEvent] | None:
    """Append events; return None without effect if an id is stored, or a counter does not accept them."""
    try:
        with statement() as execute:
            return _append(execute, events, statements) or None
    except Exception as error:
        if not is_collision(error):
            raise
        return None


def _append_rest(transaction: Executing, events: list[Event], statements: AppendStatements) -> list[StoredEvent] | None:
    """Append the events that are not stored; return None without effect if another writer just stored one."""
    try:
        with transaction() as execute:
            _lock_counters(execute, sorted({event.session_id for event in events}), statements)
            stored = _stored(execute, events, statements)
            for event in events:
                if event.id in stored:
                    ensure_idempotent(stored[event.id], event)
            new = _append(execute, [event for event in events if event.id not in stored], statements)
            return ordered(events, [*stored.values(), *new])
    except Exception as error:
        if not is_collision(error):
            raise
    # Another writer stored an id after it was looked for, or another session has it.
    with transaction() as execute:
        refuse_elsewhere(execute, events, statements)
    return None


def _lock_counters(execute: Execute, session_ids: list[str], statements: AppendStatements) -> None:
    """Lock the counters in the common order, and create missing ones."""
    groups = [[one] for one in session_ids] if statements.plainly else [session_ids]
    known = {row[0]: row[1:] for ids in groups for row in execute(statements.sessions, (ids,)).fetchall()}
    for session_id in session_ids:
        if session_id not in known:
            raise SessionNotFoundError(session_id)
        is_deleted, in_removal = known[session_id]
        if is_deleted:
            raise SessionDeletedError(session_id, in_removal=in_removal)
    locked = [row for ids in groups for row in execute(statements.lock, (utc_now(), ids)).fetchall()]
    for session_id, is_deleted in sorted(locked):
        if is_deleted:
            raise SessionDeletedError(session_id)


def _append(execute: Execute, events: list[Event], statements: AppendStatements) -> list[StoredEvent]:
    """Append events and return them as stored; return none without effect if a counter does not accept them."""
    if not events:
        return []
    if statements.plainly:
        return append_plainly(execute, events, statements)
    if len(events) == 1:
        return _append_one(execute, events[0], statements)
    columns, now = event_columns(events), utc_now()
    shared, own = split_columns(columns, of_few=("session_id",))
    if "session_id" in shared:
        return _append_to_one(execute, events, shared, own, statements)
    arrays = [array_literal(columns[name]) for name in GIVEN]
    rows = execute(statements.to_several, (*arrays, now)).fetchall()
    if not rows:
        return []
    numbers = {row[0]: row[1] for row in rows}
    return number_all(events, [numbers[event.id] for event in events])


def _append_one(execute: Execute, event: Event, statements: AppendStatements) -> list[StoredEvent]:
    id_, session_id, _, *given = _CODEC.event_row(event)
    parameters = (utc_now(), second_of(event.timestamp), session_id, id_, session_id, *given)
    found = execute(statements.one, parameters).fetchall()
    return [event.numbered(number) for number, *_ in found]


def _append_to_one(
    execute: Execute, events: list[Event], shared: dict[str, Any], own: Columns, statements: AppendStatements
) -> list[StoredEvent]:
    size, ids = len(events), list(own["id"])
    statement = statements.to_one(tuple(shared), tuple(own), is_sorted=ids == sorted(ids))
    lists = [_list_parameter(name, values) for name, values in own.items()]
    times = [shared["timestamp"]] if "timestamp" in shared else own["timestamp"]
    parameters = (size, utc_now(), second_of_text(times), shared["session_id"], *shared.values(), size, *lists)
    found = execute(statement, parameters).fetchall()
    if not found:
        return []
    last: int = found[0][0]
    return number_all(events, range(last - size + 1, last + 1))


def _list_parameter(column: str, values: Sequence[Any]) -> str:
    """Return the parameter for that placeholder; core's JSON contains no newlines."""
    return "\n".join(values) if column in JSON else array_literal(values)


def is_collision(error: BaseException | None) -> bool:
    """Return whether the driver's error, or its translation, is a collision."""
    while error is not None:
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if state in _COLLISION or (state == _INTERNAL and _OF_A_KEY.search(str(error))):
            return True
        error = error.__cause__
    return False
