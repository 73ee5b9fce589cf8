"""Fills a migrated database with as many sessions, runs and events as wanted, the same ones on every database.

By set-based SQL over the bare driver: a million events take half a minute, and no backend has a hand in it. Everything
is made of integers by arithmetic that all databases share. What the rows hold is what the ports would have written; a
test decodes and encodes some of them.
"""

# ruff: noqa: S608  statements are put together from constants

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from bare import connected

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
LONG: Final = "ses_0000000"
"""The one very long session: it has a fifth of all events and a tenth of all runs."""


class Sizes(NamedTuple):
    """How many rows there are."""

    sessions: int
    runs: int
    events: int

    @property
    def long_runs(self) -> int:
        return self.runs // 10

    @property
    def long_events(self) -> int:
        return self.events // 5

    @property
    def sessions_with_runs(self) -> int:
        """How many of the short sessions have runs, two or three each."""
        return self.sessions * 19 // 20


def sizes(factor: float) -> Sizes:
    """Return 400 sessions, 1,000 runs and 20,000 events, times `factor`."""
    return Sizes(round(400 * factor), round(1_000 * factor), round(20_000 * factor))


class SQLite:
    """How SQLite says it."""

    def numbers(self, count: int) -> str:
        return (
            f"(WITH RECURSIVE r (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < {count - 1}) SELECT n FROM r)"
        )

    def name(self, prefix: str, number: str) -> str:
        return f"printf('{prefix}_%07d', {number})"

    def time(self, seconds: str, micros: str = "0") -> str:
        whole = f"strftime('%Y-%m-%dT%H:%M:%S', {int(START.timestamp())} + {seconds}, 'unixepoch')"
        return f"{whole} || printf('.%06dZ', {micros})"

    def second(self, time: str) -> str:
        return f"substr({time}, 1, 19) || '.000000Z'"

    def cast(self, text: str, kind: str) -> str:  # noqa: ARG002  columns of text
        return text


class PostgreSQL:
    """How PostgreSQL says it."""

    def numbers(self, count: int) -> str:
        return f"(SELECT n FROM generate_series(0::bigint, {count - 1}) AS r (n))"

    def name(self, prefix: str, number: str) -> str:
        return f"'{prefix}_' || lpad(({number})::text, 7, '0')"

    def time(self, seconds: str, micros: str = "0") -> str:
        start = f"'{START.isoformat()}'::timestamptz"
        return f"{start} + ({seconds}) * interval '1 second' + ({micros}) * interval '1 microsecond'"

    def second(self, time: str) -> str:
        return f"date_trunc('second', {time})"

    def cast(self, text: str, kind: str) -> str:
        return f"({text})::{kind}"


Dialect = SQLite | PostgreSQL


def mixed(number: str, salt: int) -> str:
    """Return an expression for what looks like a random number below 2**22, made of one below 2**31."""
    return f"((({number}) + {salt * 7_919}) * 2654435761 % 4294967296 / 1024)"


def picked(number: str, salt: int, **weights: int) -> str:
    """Return an expression for one of these words, by their weights; NULL for `none`, and where there is no number."""
    drawn, below, cases = f"{mixed(number, salt)} % {sum(weights.values())}", 0, []
    for word, weight in weights.items():
        below += weight
        cases.append(f"WHEN {drawn} < {below} THEN {'NULL' if word == 'none' else repr(word)}")
    return f"CASE {' '.join(cases)} END"


def _created(session: str) -> str:
    return f"{mixed(session, 1)} * 3"  # within 145 days


def _provider(run: str) -> str:
    return picked(run, 20, anthropic=50, openai=30, gemini=12, local=3, none=5)


def json(**fields: str) -> str:
    """Return an expression for the text of a JSON object; the fields are expressions for JSON."""
    pairs = " || ',".join(f""""{name}":' || ({value})""" for name, value in fields.items())
    return f"'{{{pairs} || '}}'" if pairs else "'{}'"


def quoted(text: str) -> str:
    """Return an expression for a JSON string of what needs no escapes."""
    return f"""'"' || ({text}) || '"'"""


def sessions(d: Dialect, size: Sizes) -> str:
    """Return the statement that makes the sessions."""
    updated = f"{_created('n')} + {mixed('n', 2)} % 2000000"
    statuses = picked("n", 3, completed=60, failed=10, cancelled=5, active=15, paused=5, pending=5)
    tags = f"""CASE {mixed("n", 4)} % 10 WHEN 0 THEN '["nightly","batch"]' WHEN 1 THEN '["batch"]' WHEN 2 THEN
        CASE WHEN {mixed("n", 5)} % 5 = 0 THEN '["pinned"]' ELSE '["review"]' END ELSE '[]' END"""
    return f"""
    INSERT INTO asm_sessions (id, agent_id, status, parent_session_id, metadata, context, tags, created_at, updated_at,
        deleted_at, user_id, title, title_folded)
    SELECT {d.name("ses", "n")}, 'agent ' || ({mixed("n", 6)} % 20 * ({mixed("n", 7)} % 20)),
        CASE WHEN n = 0 THEN 'completed' ELSE {statuses} END,
        CASE WHEN n % 10 = 3 THEN {d.name("ses", "n - 1")} END,
        {d.cast(json(team=quoted("n % 7")), "json")}, {d.cast(json(), "json")},
        {d.cast(f"CASE WHEN n = 0 THEN '[]' ELSE {tags} END", "jsonb")},
        {d.time(_created("n"), "n % 1000000")}, {d.time(updated, "n % 1000000")},
        CASE WHEN n > 0 AND {mixed("n", 8)} % 20 = 0 THEN {d.time(f"{updated} + 86400")} END,
        CASE WHEN n % 4 > 0 THEN 'user ' || ({mixed("n", 9)} % 20) END,
        CASE WHEN n % 3 = 0 THEN 'Plan ' || n END, CASE WHEN n % 3 = 0 THEN 'plan ' || n END
    FROM {d.numbers(size.sessions)} AS numbers"""


def runs(d: Dialect, size: Sizes) -> str:
    """Return the statement that makes the runs; some have no token counts."""
    session = f"CASE WHEN n < {size.long_runs} THEN 0 ELSE 1 + (n - {size.long_runs}) % {size.sessions_with_runs} END"
    halves = {"input_tokens": "spent", "output_tokens": "received"}
    usage = f"CASE form WHEN 1 THEN {json()} ELSE {json(**halves)} END"
    error = json(code=quoted("'provider_error'"), message=quoted("'It broke.'"))
    return f"""
    INSERT INTO asm_runs (id, session_id, status, input, output, error, metadata, turn_count, token_usage, started_at,
        ended_at, provider, provider_metadata, cost_nanos, input_tokens, output_tokens, total_tokens, model)
    SELECT {d.name("run", "n")}, {d.name("ses", "s")}, status, {d.cast(json(prompt=quoted("n")), "json")},
        CASE status WHEN 'completed' THEN {d.cast(json(text=quoted("'Done.'")), "json")} END,
        CASE status WHEN 'failed' THEN {d.cast(error, "json")} END,
        {d.cast(json(), "json")}, {mixed("n", 13)} % 9, {d.cast(usage, "json")}, {d.time("started", "micros")},
        CASE WHEN status NOT IN ('pending', 'running') THEN {d.time("started + 30", "micros")} END, {_provider("n")},
        {d.cast(f"CASE WHEN model IS NULL THEN {json()} ELSE {json(model=quoted('model'))} END", "json")},
        CASE WHEN {mixed("n", 14)} % 5 > 0 THEN spent * 3000 + received * 15000 END,
        CASE form WHEN 1 THEN 0 ELSE spent END, CASE form WHEN 1 THEN 0 ELSE received END,
        CASE form WHEN 1 THEN 0 ELSE spent + received END, model
    FROM (SELECT n, s, {_created("s")} + {mixed("n", 15)} % 86400 AS started, {mixed("n", 16)} % 1000000 AS micros,
        {picked("n", 17, pending=3, running=5, completed=80, failed=8, cancelled=2, timeout=2)} AS status,
        {picked("n", 18, large=50, middle=30, small=10, none=10)} AS model, {mixed("n", 19)} % 10 AS form,
        {mixed("n", 11)} % 5000 AS spent, {mixed("n", 12)} % 2000 AS received
        FROM (SELECT n, {session} AS s FROM {d.numbers(size.runs)} AS numbers) AS owned) AS made"""


TYPES: Final = {
    "message_streamed": 40,
    "message_sent": 8,
    "message_received": 8,
    "tool_call_started": 10,
    "tool_call_completed": 9,
    "tool_call_failed": 1,
    "token_usage_updated": 8,
    "turn_completed": 4,
    "run_started": 5,
    "run_completed": 4,
    "run_failed": 1,
    "error_occurred": 1,
    "policy_violation": 1,
}
TEXT: Final = "What an agent says, or hears, or does, is about as long as this sentence here, which says nothing."


def events(d: Dialect, size: Sizes) -> str:
    """Return the statement that makes the events; of every fiftieth session the first ten numbers were pruned."""
    long, short = size.long_events, size.sessions - 1
    run = f"""CASE WHEN k < 2 THEN NULL WHEN s = 0 THEN n * {size.long_runs} / {long}
        WHEN s <= {size.sessions_with_runs} THEN {size.long_runs} + s - 1 + k % 2 * {size.sessions_with_runs} END"""
    kind = f"CASE k WHEN 0 THEN 'session_created' WHEN 1 THEN 'session_started' ELSE {picked('n', 31, **TYPES)} END"
    data = json(n="k", text=quoted(f"'{TEXT}'"))
    ends = "'run_completed', 'run_failed'"  # of no run, as each run has one end
    correlation = d.name("corr", f"{mixed('n', 33)} % {size.events // 20}")
    return f"""
    INSERT INTO asm_events (id, session_id, sequence_number, type, timestamp, run_id, data, metadata, schema_version,
        provider, correlation_id)
    SELECT {d.name("evt", "n")}, {d.name("ses", "s")}, k + 1 + CASE s % 50 WHEN 7 THEN 10 ELSE 0 END, {kind},
        {d.time(f"{_created('s')} + k * CASE s WHEN 0 THEN 1 ELSE 7 END", f"{mixed('n', 32)} % 1000000")},
        CASE WHEN r IS NOT NULL AND {kind} NOT IN ({ends}) THEN {d.name("run", "r")} END,
        {d.cast(data, "json")}, {d.cast(json(), "json")}, 1,
        {_provider("r")}, CASE WHEN {mixed("n", 34)} % 5 = 0 THEN {correlation} END
    FROM (SELECT n, s, k, {run} AS r FROM (SELECT n,
        CASE WHEN n < {long} THEN 0 ELSE 1 + (n - {long}) % {short} END AS s,
        CASE WHEN n < {long} THEN n ELSE (n - {long}) / {short} END AS k
        FROM {d.numbers(size.events)} AS numbers) AS placed) AS made"""


def counters(d: Dialect) -> str:
    """Return the statement that makes the counters. No event is older than its session."""
    return f"""
    INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at, deleted_at, user_id, active_at)
    SELECT e.session_id, MAX(e.sequence_number), MAX(e.timestamp), s.deleted_at, s.user_id,
        {d.second("MAX(e.timestamp)")}
    FROM asm_events e JOIN asm_sessions s ON s.id = e.session_id GROUP BY e.session_id, s.deleted_at, s.user_id"""


def artifacts(d: Dialect, size: Sizes) -> str:
    """Return the statement that makes artifacts, one for every fourth session; of every tenth the session is gone."""
    return f"""
    INSERT INTO asm_artifacts (id, session_id, run_id, key, content_type, byte_size, checksum_sha256, storage_backend,
        storage_ref, metadata, created_at, deleted_at)
    SELECT {d.name("art", "n")}, {d.name("gone", "n")}, NULL, 'key ' || n, 'text/plain', n, '{"0123456789abcdef" * 4}',
        'file', '/blobs/' || n, {d.cast(json(), "json")}, {d.time("n")},
        CASE WHEN n % 20 = 1 THEN {d.time("n + 60")} END
    FROM {d.numbers(size.sessions // 4)} AS numbers WHERE n % 10 = 0
    UNION ALL
    SELECT {d.name("art", "n")}, {d.name("ses", f"n * 3 % {size.sessions}")}, NULL, 'key ' || n, NULL, n,
        '{"0123456789abcdef" * 4}', 'file', '/blobs/' || n, {d.cast(json(), "json")}, {d.time("n")},
        CASE WHEN n % 20 = 1 THEN {d.time("n + 60")} END
    FROM {d.numbers(size.sessions // 4)} AS numbers WHERE n % 10 <> 0"""


NAMESPACES: Final = 50


def records(d: Dialect, size: Sizes) -> str:
    """Return the statement that makes records of state; a tenth of them has expired, and a tenth will."""
    return f"""
    INSERT INTO asm_state (namespace, key, value, revision, created_at, updated_at, expires_at)
    SELECT {d.name("user", f"n % {NAMESPACES}")}, {d.name("key", "n")}, {d.cast(json(n="n"), "json")}, 1, {d.time("n")},
        {d.time("n")}, CASE n / {NAMESPACES} % 10 WHEN 3 THEN {d.time("n + 60")}
        WHEN 4 THEN {d.time("n + 3000000000")} END
    FROM {d.numbers(size.events // 4)} AS numbers"""


def fill(url: str, factor: float, *, analyze: bool = True) -> Sizes:
    """Fill the tables of a migrated database, and gather what its planner knows of them."""
    size = sizes(factor)
    dialect: Dialect = SQLite() if url.startswith("sqlite:") else PostgreSQL()
    with connected(url) as connection:
        if isinstance(dialect, SQLite):
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")
        for statement in (sessions, runs, events):
            connection.execute(statement(dialect, size))
        connection.execute(counters(dialect))
        connection.execute(artifacts(dialect, size))
        connection.execute(records(dialect, size))
        connection.execute("COMMIT")
        if analyze:
            # PostgreSQL does so automatically, and SQLite only on ANALYZE.
            connection.execute("ANALYZE")
    return size
