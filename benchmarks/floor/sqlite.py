"""The floor on SQLite: Python's driver, one writing connection behind a lock, a reading one for each thread."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Final

from benchmarks.contender import PAGE, SESSION
from benchmarks.floor.plain import (
    PlainEvent,
    PlainSession,
    columns,
    decode,
    encode,
    numbered,
    plain_events,
    split,
    text_of_time,
    texts_of_times,
)

if TYPE_CHECKING:
    from benchmarks.contender import Usage

_EVENT: Final = (
    "id, session_id, sequence_number, type, timestamp, run_id, data, metadata, schema_version, provider, correlation_id"
)
_SESSION: Final = (
    "id, agent_id, status, parent_session_id, metadata, context, tags, created_at, updated_at, deleted_at, revision, "
    "user_id, title"
)
# An UPDATE that finds its row takes less than an upsert; a trigger or a subquery for the number takes more.
_RAISE: Final = (
    "UPDATE asm_session_sequences SET last_sequence = last_sequence + ?, updated_at = ? WHERE session_id = ? "
    "RETURNING last_sequence"
)
_BEGIN: Final = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) VALUES (?, ?, ?) RETURNING last_sequence"
)
_PLACES: Final = f"({', '.join('?' * 11)})"
_ONE: Final = f"INSERT INTO asm_events ({_EVENT}) VALUES {_PLACES}"
# What all events of a batch have in common is bound once, and OR ROLLBACK spares the statement a journal of its own.
# Against this, a plain INSERT takes 1.1 times as long, 250 whole rows a statement 1.3, 50 of them or executemany 1.5,
# one JSON parameter through json_each 1.2.
_ROWS: Final = 500
_READ: Final = f"SELECT {_EVENT} FROM asm_events WHERE session_id = ? ORDER BY sequence_number"
_READ_AFTER: Final = (
    f"SELECT {_EVENT} FROM asm_events WHERE session_id = ? AND sequence_number > ? ORDER BY sequence_number LIMIT ?"
)
_READ_LAST: Final = f"SELECT {_EVENT} FROM asm_events WHERE session_id = ? ORDER BY sequence_number DESC LIMIT ?"
_PAGE: Final = f"SELECT {_SESSION} FROM asm_sessions WHERE deleted_at IS NULL"
# Without the plus sign, SQLite scans the index of providers and looks up each run separately: three times as
# long.
_USAGE: Final = (
    "SELECT provider, model, count(*), sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), "
    "sum(cache_write_1h_tokens), sum(output_tokens), sum(reasoning_tokens) FROM asm_runs GROUP BY +provider, model"
)
_FETCHED: Final = 500


class SQLiteFloor:
    """The floor on a SQLite file."""

    name = "floor"

    def __init__(self, url: str, *, durable: bool) -> None:
        """Open the file."""
        self._path = url.removeprefix("sqlite:///")
        self._durable = durable
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._writer = self._connect()
        self._local = threading.local()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        for pragma in (f"synchronous = {'full' if self._durable else 'normal'}", "foreign_keys = on"):
            connection.execute(f"PRAGMA {pragma}")
        self._connections.append(connection)
        return connection

    def _reader(self) -> sqlite3.Connection:
        try:
            connection: sqlite3.Connection = self._local.connection
        except AttributeError:
            connection = self._local.connection = self._connect()
        return connection

    facts = staticmethod(plain_events)

    def append(self, fact: PlainEvent) -> PlainEvent:
        """Append one event."""
        data, metadata, at = encode(fact.data).decode(), encode(fact.metadata).decode(), text_of_time(fact.timestamp)
        now = text_of_time(datetime.now(UTC))
        with self._lock:
            execute = self._writer.execute
            execute("BEGIN IMMEDIATE")
            try:
                number = self._raise(fact.session_id, 1, now)
                execute(
                    _ONE,
                    (
                        *(fact.id, fact.session_id, number, fact.type, at, fact.run_id, data, metadata),
                        *(fact.schema_version, fact.provider, fact.correlation_id),
                    ),
                )
            except sqlite3.IntegrityError:
                execute("ROLLBACK")
                (number,) = execute("SELECT sequence_number FROM asm_events WHERE id = ?", (fact.id,)).fetchone()
            else:
                execute("COMMIT")
        return numbered(fact, number)

    def append_many(self, facts: list[PlainEvent]) -> list[PlainEvent]:
        """Append events of one session; for a repeated id the caller would go the long way."""
        shared, own = split(columns(facts, times=texts_of_times))
        now, session_id, size = text_of_time(datetime.now(UTC)), facts[0].session_id, len(facts)
        with self._lock:
            execute = self._writer.execute
            execute("BEGIN IMMEDIATE")
            try:
                last = self._raise(session_id, size, now)
                numbers = range(last - size + 1, last + 1)
                values = [*chain.from_iterable(zip(*own.values(), numbers, strict=True))]
                width = _ROWS * (len(own) + 1)
                for start in range(0, len(values), width):
                    part = values[start : start + width]
                    statement = _many((*shared,), (*own, "sequence_number"), len(part) // (len(own) + 1))
                    execute(statement, (*shared.values(), *part))
            except BaseException:
                if self._writer.in_transaction:
                    execute("ROLLBACK")
                raise
            execute("COMMIT")
        return [numbered(fact, number) for fact, number in zip(facts, numbers, strict=True)]

    def _raise(self, session_id: str, count: int, now: str) -> int:
        found = self._writer.execute(_RAISE, (count, now, session_id)).fetchone()
        found = found or self._writer.execute(_BEGIN, (session_id, count, now)).fetchone()
        return int(found[0])

    def read(self, session_id: str = SESSION) -> list[PlainEvent]:
        """Return the whole log of a session."""
        return _events(self._reader().execute(_READ, (session_id,)))

    def read_after(self, number: int, limit: int, session_id: str = SESSION) -> list[PlainEvent]:
        """Return events after a number."""
        return _events(self._reader().execute(_READ_AFTER, (session_id, number, limit)))

    def read_last(self, limit: int, session_id: str = SESSION) -> list[PlainEvent]:
        """Return the last events, the last one first."""
        return _events(self._reader().execute(_READ_LAST, (session_id, limit)))

    def page(self, place: tuple[str, str] | None = None) -> tuple[list[PlainSession], tuple[str, str] | None]:
        """Return a page of sessions by `updated_at`, and the key of its last one."""
        after = "" if place is None else " AND (updated_at, id) < (?, ?)"
        sql = f"{_PAGE}{after} ORDER BY updated_at DESC, id DESC LIMIT {PAGE + 1}"
        reader = self._reader()
        rows = reader.execute(sql, place or ()).fetchall()
        sessions = [
            PlainSession(
                *row[:4], decode(row[4]), decode(row[5]), decode(row[6]), _time(row[7]), _time(row[8]),
                None if row[9] is None else _time(row[9]), *row[10:],
            )
            for row in rows[:PAGE]
        ]  # fmt: skip
        return sessions, (rows[PAGE - 1][8], rows[PAGE - 1][0]) if len(rows) > PAGE else None

    def usage(self) -> Usage:
        """Return the tokens that runs used, by provider and model."""
        return {(row[0], row[1]): row[2:] for row in self._reader().execute(_USAGE)}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


@cache
def _many(shared: tuple[str, ...], own: tuple[str, ...], size: int) -> str:
    row = f"({', '.join('?' * len(own))})"
    selected = ", ".join([*"?" * len(shared), *(f"column{place}" for place in range(1, len(own) + 1))])
    return (
        f"INSERT OR ROLLBACK INTO asm_events ({', '.join((*shared, *own))}) SELECT {selected} "
        f"FROM (VALUES {', '.join([row] * size)})"
    )


def _events(cursor: sqlite3.Cursor) -> list[PlainEvent]:
    events: list[PlainEvent] = []
    # Some hundred rows at a time: all at once provoke a full garbage collection.
    for rows in iter(lambda: cursor.fetchmany(_FETCHED), []):
        events.extend(
            PlainEvent(
                row[0], row[1], row[2], row[3], _time(row[4]), row[5], decode(row[6]), decode(row[7]), row[8], row[9],
                row[10],
            )
            for row in rows
        )  # fmt: skip
    return events


_time: Final = datetime.fromisoformat
