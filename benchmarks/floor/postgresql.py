"""The floor on PostgreSQL: psycopg 3 in C, a connection for each thread, statements prepared on the server."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.types.string import TextLoader

from benchmarks.contender import PAGE, SESSION
from benchmarks.floor.plain import PlainEvent, PlainSession, columns, decode, encode, numbered, plain_events, split

if TYPE_CHECKING:
    from benchmarks.contender import Usage

_EVENT: Final = (
    "id, session_id, sequence_number, type, timestamp, run_id, data, metadata, schema_version, provider, correlation_id"
)
_GIVEN: Final = _EVENT.replace("sequence_number, ", "")
_READ_COLUMNS: Final = _EVENT.replace("timestamp", "timestamp AT TIME ZONE 'UTC'")
_SESSION: Final = (
    "id, agent_id, status, parent_session_id, metadata, context, tags, created_at AT TIME ZONE 'UTC', "
    "updated_at AT TIME ZONE 'UTC', deleted_at AT TIME ZONE 'UTC', revision, user_id, title"
)
# One round trip, committed by itself. An upsert of the counter costs a tenth more than this update, which makes the
# first append to a session go the longer way; BEGIN, UPDATE, INSERT, COMMIT cost three times as much.
_APPEND: Final = f"""
WITH counter AS (
    UPDATE asm_session_sequences SET last_sequence = last_sequence + 1, updated_at = %s
    WHERE session_id = %s RETURNING last_sequence
)
INSERT INTO asm_events ({_GIVEN}, sequence_number)
SELECT %s, %s, %s, %s, %s, %s::json, %s::json, %s, %s, %s, last_sequence FROM counter
RETURNING sequence_number"""
_BEGIN: Final = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) VALUES (%s, 0, now()) "
    "ON CONFLICT DO NOTHING"
)
# What all events of a batch have in common is sent once, which saves a quarter; payloads as lines of one text, which
# saves a twentieth. Arrays as text take as long as in binary, if they are made by hand: a third of what psycopg takes
# to make text of lists. One JSON parameter takes 1.2 to 1.3 times as long, executemany 1.4, COPY 1.1.
_JSON: Final = {"metadata": "::json", "data": "::json"}
_TYPES: Final = {"timestamp": "timestamptz", "schema_version": "bigint"}
_READ: Final = f"SELECT {_READ_COLUMNS} FROM asm_events WHERE session_id = %s ORDER BY sequence_number"
_READ_AFTER: Final = (
    f"SELECT {_READ_COLUMNS} FROM asm_events WHERE session_id = %s AND sequence_number > %s "
    "ORDER BY sequence_number LIMIT %s"
)
_READ_LAST: Final = (
    f"SELECT {_READ_COLUMNS} FROM asm_events WHERE session_id = %s ORDER BY sequence_number DESC LIMIT %s"
)
_PAGE: Final = f"SELECT {_SESSION} FROM asm_sessions WHERE deleted_at IS NULL"
_USAGE: Final = (
    "SELECT provider, model, count(*), sum(input_tokens)::bigint, sum(cache_read_tokens)::bigint, "
    "sum(cache_write_tokens)::bigint, sum(cache_write_1h_tokens)::bigint, sum(output_tokens)::bigint, "
    "sum(reasoning_tokens)::bigint FROM asm_runs GROUP BY provider, model"
)
_FETCHED: Final = 500


class PostgreSQLFloor:
    """The floor on a PostgreSQL database."""

    name = "floor"

    def __init__(self, url: str) -> None:
        """Connect when it is first needed."""
        self._url = url
        self._local = threading.local()
        self._connections: list[psycopg.Connection[Any]] = []

    def _cursor(self) -> psycopg.Cursor[Any]:
        try:
            cursor: psycopg.Cursor[Any] = self._local.cursor
        except AttributeError:
            connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=0)
            # A time as text, which fromisoformat() reads, takes a fifth of the driver's own and replace(tzinfo=UTC).
            for kind in ("json", "jsonb", "timestamp"):
                connection.adapters.register_loader(kind, TextLoader)
            self._connections.append(connection)
            cursor = self._local.cursor = connection.cursor()
        return cursor

    facts = staticmethod(plain_events)

    def append(self, fact: PlainEvent) -> PlainEvent:
        """Append one event."""
        cursor = self._cursor()
        parameters = (
            *(datetime.now(UTC), fact.session_id, fact.id, fact.session_id, fact.type, fact.timestamp, fact.run_id),
            *(encode(fact.data).decode(), encode(fact.metadata).decode(), fact.schema_version, fact.provider),
            fact.correlation_id,
        )
        try:
            found = cursor.execute(_APPEND, parameters).fetchone()
            if found is None:
                cursor.execute(_BEGIN, (fact.session_id,))
                found = cursor.execute(_APPEND, parameters).fetchone()
        except psycopg.errors.UniqueViolation:
            found = cursor.execute("SELECT sequence_number FROM asm_events WHERE id = %s", (fact.id,)).fetchone()
        assert found is not None
        return numbered(fact, found[0])

    def append_many(self, facts: list[PlainEvent]) -> list[PlainEvent]:
        """Append events of one session; for a repeated id the caller would go the long way."""
        cursor, session_id, size = self._cursor(), facts[0].session_id, len(facts)
        shared, own = split(columns(facts, times=list))
        lists = ("\n".join(own[name]) if name in _JSON else own[name] for name in own)
        parameters = (size, datetime.now(UTC), session_id, *shared.values(), size, *lists)
        statement = _many((*shared,), (*own,))
        found = cursor.execute(statement, parameters).fetchone()
        if found is None:
            cursor.execute(_BEGIN, (session_id,))
            found = cursor.execute(statement, parameters).fetchone()
        assert found is not None
        last: int = found[0]
        return [numbered(fact, number) for number, fact in enumerate(facts, last - size + 1)]

    def read(self, session_id: str = SESSION) -> list[PlainEvent]:
        """Return the whole log of a session."""
        return _events(self._cursor().execute(_READ, (session_id,)))

    def read_after(self, number: int, limit: int, session_id: str = SESSION) -> list[PlainEvent]:
        """Return events after a number."""
        return _events(self._cursor().execute(_READ_AFTER, (session_id, number, limit)))

    def read_last(self, limit: int, session_id: str = SESSION) -> list[PlainEvent]:
        """Return the last events, the last one first."""
        return _events(self._cursor().execute(_READ_LAST, (session_id, limit)))

    def page(self, place: Any = None) -> tuple[list[PlainSession], Any]:
        """Return a page of sessions by `updated_at`, and the key of its last one."""
        cursor = self._cursor()
        after = "" if place is None else " AND (updated_at, id) < (%s, %s)"
        sql = f"{_PAGE}{after} ORDER BY updated_at DESC, id DESC LIMIT {PAGE + 1}"
        rows = cursor.execute(sql, place or ()).fetchall()
        sessions = [
            PlainSession(
                *row[:4], decode(row[4]), decode(row[5]), decode(row[6]), _time(row[7]), _time(row[8]),
                row[9] and _time(row[9]), *row[10:],
            )
            for row in rows[:PAGE]
        ]  # fmt: skip
        return sessions, (sessions[-1].updated_at, sessions[-1].id) if len(rows) > PAGE else None

    def usage(self) -> Usage:
        """Return the tokens that runs used, by provider and model."""
        return {(row[0], row[1]): row[2:] for row in self._cursor().execute(_USAGE)}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


@cache
def _many(shared: tuple[str, ...], own: tuple[str, ...]) -> str:
    lines = "string_to_array(%s::text, chr(10))"
    arrays = ", ".join(lines if name in _JSON else f"%b::{_TYPES.get(name, 'text')}[]" for name in own)
    values = ", ".join(
        (*(f"%s{_JSON.get(name, '')}" for name in shared), *(f"{name}{_JSON.get(name, '')}" for name in own))
    )
    return f"""
WITH counter AS (
    UPDATE asm_session_sequences SET last_sequence = last_sequence + %s, updated_at = %s
    WHERE session_id = %s RETURNING last_sequence
), stored AS (
    INSERT INTO asm_events ({", ".join((*shared, *own))}, sequence_number)
    SELECT {values}, last_sequence - %s + place
    FROM counter, unnest({arrays}) WITH ORDINALITY AS given ({", ".join(own)}, place)
)
SELECT last_sequence FROM counter"""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


def _events(cursor: psycopg.Cursor[Any]) -> list[PlainEvent]:
    events: list[PlainEvent] = []
    # Some hundred rows at a time: all at once provoke a full garbage collection.
    for rows in iter(lambda: cursor.fetchmany(_FETCHED), []):
        events.extend(
            PlainEvent(
                row[0], row[1], row[2], row[3], _time(row[4]), row[5], decode(row[6]), decode(row[7]),
                row[8], row[9], row[10],
            )
            for row in rows
        )  # fmt: skip
    return events
