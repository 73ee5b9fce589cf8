"""Sessions, runs, events, and the counters that number the events."""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_SQLITE: Final = (
    """\
CREATE TABLE {sessions} (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    status TEXT NOT NULL,
    parent_session_id TEXT,
    metadata TEXT NOT NULL,
    context TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT""",
    """\
CREATE TABLE {runs} (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES {sessions} (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    input TEXT,
    output TEXT,
    error TEXT,
    metadata TEXT NOT NULL,
    turn_count INTEGER NOT NULL,
    token_usage TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    provider TEXT,
    provider_metadata TEXT NOT NULL,
    cost_nanos INTEGER,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    model TEXT
) STRICT""",
    """\
CREATE TABLE {counters} (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES {sessions} (id) ON DELETE CASCADE,
    last_sequence INTEGER NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    """\
CREATE TABLE {events} (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    type TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    run_id TEXT,
    data TEXT NOT NULL,
    metadata TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    provider TEXT,
    correlation_id TEXT,
    UNIQUE (session_id, sequence_number)
) STRICT""",
)

_POSTGRESQL: Final = (
    """\
CREATE TABLE {sessions} (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    agent_id text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    parent_session_id text COLLATE "C",
    metadata json NOT NULL,
    context json NOT NULL,
    tags jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
)""",
    """\
CREATE TABLE {runs} (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL REFERENCES {sessions} (id) ON DELETE CASCADE,
    status text COLLATE "C" NOT NULL,
    input json,
    output json,
    error json,
    metadata json NOT NULL,
    turn_count bigint NOT NULL,
    token_usage json NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    provider text COLLATE "C",
    provider_metadata json NOT NULL,
    cost_nanos bigint,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    total_tokens bigint NOT NULL,
    model text COLLATE "C"
)""",
    """\
CREATE TABLE {counters} (
    session_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES {sessions} (id) ON DELETE CASCADE,
    last_sequence bigint NOT NULL,
    updated_at timestamptz NOT NULL
)""",
    """\
CREATE TABLE {events} (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL,
    sequence_number bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    timestamp timestamptz NOT NULL,
    run_id text COLLATE "C",
    data json NOT NULL,
    metadata json NOT NULL,
    schema_version bigint NOT NULL,
    provider text COLLATE "C",
    correlation_id text COLLATE "C",
    UNIQUE (session_id, sequence_number)
)""",
)

# One index for each filter and order of the ports. Each index on asm_events adds to the cost of every append, so
# filters by type and provider have none: they are combined with a session, a time or an order, whose index is used.
# Queries of maintenance scan all sessions once, and have none either.
_INDEXES: Final = (
    "CREATE INDEX asm_sessions_by_creation ON {sessions} (created_at, id)",
    "CREATE INDEX asm_sessions_by_update ON {sessions} (updated_at, id)",
    "CREATE INDEX asm_sessions_by_agent ON {sessions} (agent_id, updated_at, id)",
    "CREATE INDEX asm_sessions_by_status ON {sessions} (status, updated_at, id)",
    "CREATE INDEX asm_sessions_of_agent ON {sessions} (agent_id, created_at, id)",
    "CREATE INDEX asm_sessions_in_status ON {sessions} (status, created_at, id)",
    "CREATE INDEX asm_runs_of_session ON {runs} (session_id, started_at, id)",
    "CREATE INDEX asm_runs_by_start ON {runs} (started_at, id)",
    "CREATE INDEX asm_runs_by_provider ON {runs} (provider, started_at, id)",
    "CREATE INDEX asm_runs_by_status ON {runs} (status, started_at, id)",
    "CREATE INDEX asm_runs_by_tokens ON {runs} (total_tokens, id)",
    "CREATE INDEX asm_events_by_time ON {events} (timestamp, session_id, sequence_number)",
    "CREATE INDEX asm_events_of_run ON {events} (run_id) WHERE run_id IS NOT NULL",
    "CREATE INDEX asm_events_correlated ON {events} (correlation_id) WHERE correlation_id IS NOT NULL",
)

_DOWN: Final = (
    "DROP TABLE {events}",
    "DROP TABLE {counters}",
    "DROP TABLE {runs}",
    "DROP TABLE {sessions}",
)

MIGRATION: Final = Migration(
    version=1,
    name="sessions",
    up={
        Dialect.SQLITE: (*_SQLITE, *_INDEXES),
        Dialect.POSTGRESQL: (
            *_POSTGRESQL,
            *_INDEXES,
            "CREATE INDEX asm_sessions_by_tag ON {sessions} USING gin (tags)",
        ),
    },
    down={Dialect.SQLITE: _DOWN, Dialect.POSTGRESQL: _DOWN},
)
