"""Databases with much in them, filled by SQL alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Final

import psycopg

from benchmarks.contender import payload
from benchmarks.floor.plain import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.places import Place

RUNS_OF_A_SESSION: Final = 2
_EPOCH: Final = 1_767_225_600
_NUMBERS: Final = {
    "sqlite": "(WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) SELECT n FROM n)",
    "postgresql": "generate_series(1, {count}) AS numbers (n)",
}
_TIME: Final = {
    "sqlite": f"strftime('%Y-%m-%dT%H:%M:%S', {_EPOCH} + n, 'unixepoch') || '.000000Z'",
    "postgresql": f"to_timestamp({_EPOCH} + n)",
}
_DIGITS: Final = {"sqlite": "printf('%07d', {n})", "postgresql": "lpad(({n})::text, 7, '0')"}
_EVENTS: Final = """
INSERT INTO asm_events (id, session_id, sequence_number, type, timestamp, run_id, data, metadata, schema_version)
SELECT '{session}_' || {digits}, '{session}', n, 'message_streamed', {time}, 'run_measured', '{data}', '{{}}', 1
FROM {numbers}"""
_COUNTER: Final = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) "
    "VALUES ('{session}', {count}, '2026-02-01T00:00:00.000000Z') "
    "ON CONFLICT (session_id) DO UPDATE SET last_sequence = excluded.last_sequence"
)
_SESSIONS: Final = """
INSERT INTO asm_sessions (id, agent_id, status, metadata, context, tags, created_at, updated_at)
SELECT 'ses_' || {digits}, 'measured', 'active', '{{"number": 1}}', '{{"system": "Help."}}', '["measured"]',
    {time}, {time}
FROM {numbers}"""
_RUNS: Final = """
INSERT INTO asm_runs (
    id, session_id, status, metadata, turn_count, token_usage, started_at, provider, provider_metadata, model,
    input_tokens, output_tokens, total_tokens
)
SELECT 'run_' || {digits}, 'ses_' || {digits_of_session}, 'completed', '{{}}', 1, '{{}}', {time}, 'local', '{{}}',
    'large', 100, 20, 120
FROM {numbers}"""


def name_of(count: int) -> str:
    """Return the id of the session with `count` events."""
    return f"ses_with_{count}"


@cache
def with_events(place: Place, counts: Sequence[int]) -> str:
    """Return the URL of a database with sessions of these sizes."""
    url = place.new_url(name_of(count) for count in counts)
    data = encode(payload(1)).decode()
    for count in counts:
        session = name_of(count)
        both = [_filled(place, sql, count=count, session=session, data=data) for sql in (_EVENTS, _COUNTER)]
        _execute(place, url, both)
    place.settle(url)
    return url


@cache
def with_sessions(place: Place, count: int) -> str:
    """Return the URL of a database with so many sessions, ``ses_0000001`` and on, which have two runs each."""
    url = place.new_url()
    runs = RUNS_OF_A_SESSION * count
    of_session = _DIGITS[place.database].format(n=f"(n - 1) / {RUNS_OF_A_SESSION} + 1")
    statements = [
        _filled(place, _SESSIONS, count=count),
        _filled(place, _RUNS, count=runs, digits_of_session=of_session),
    ]
    _execute(place, url, statements)
    place.settle(url)
    return url


def _filled(place: Place, statement: str, *, count: int, **names: str) -> str:
    database = place.database
    numbers, digits = _NUMBERS[database].format(count=count), _DIGITS[database].format(n="n")
    return statement.format(numbers=numbers, digits=digits, time=_TIME[database], count=count, **names)


def _execute(place: Place, url: str, statements: list[str]) -> None:
    if place.database == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            for statement in statements:
                file.execute(statement)
        return
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)
