"""A counter for each session from its creation, with all values that an append needs: one row, one lock.

The counter has a random id of its log, which differs after a session was created again under the same id, and the time
of the session's deletion. A session has the time at which its removal began.
"""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_ASIDE: Final = "CREATE TABLE asm_counters_aside AS SELECT session_id, last_sequence, updated_at FROM {counters}"
_BACK: Final = (
    "INSERT INTO {counters} (session_id, last_sequence, updated_at) "
    "SELECT session_id, last_sequence, updated_at FROM asm_counters_aside"
)
_MISSING: Final = (
    "INSERT INTO {counters} (session_id, last_sequence, updated_at) "
    "SELECT id, 0, created_at FROM {sessions} "
    "WHERE NOT EXISTS (SELECT 1 FROM {counters} WHERE session_id = {sessions}.id)"
)
_DELETED: Final = (
    "UPDATE {counters} SET deleted_at = (SELECT deleted_at FROM {sessions} WHERE id = session_id) "
    "WHERE session_id IN (SELECT id FROM {sessions} WHERE deleted_at IS NOT NULL)"
)
_REMOVALS: Final = "CREATE INDEX asm_sessions_in_removal ON {sessions} (id, removing_at) WHERE removing_at IS NOT NULL"
_UNMARKED: Final = "ALTER TABLE {sessions} DROP COLUMN removing_at"

# SQLite cannot add a column with a random default, so the table is rebuilt.
_SQLITE_UP: Final = (
    "ALTER TABLE {sessions} ADD COLUMN removing_at TEXT",
    _REMOVALS,
    _ASIDE,
    "DROP TABLE {counters}",
    """\
CREATE TABLE {counters} (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES {sessions} (id) ON DELETE CASCADE,
    last_sequence INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    log_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    deleted_at TEXT
) STRICT, WITHOUT ROWID""",
    _BACK,
    "DROP TABLE asm_counters_aside",
    _MISSING,
    _DELETED,
)
_SQLITE_DOWN: Final = (
    "DROP INDEX asm_sessions_in_removal",
    _UNMARKED,
    _ASIDE,
    "DROP TABLE {counters}",
    """\
CREATE TABLE {counters} (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES {sessions} (id) ON DELETE CASCADE,
    last_sequence INTEGER NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    _BACK,
    "DROP TABLE asm_counters_aside",
)

# Sessions before counters, the lock order of writers.
_POSTGRESQL_UP: Final = (
    "ALTER TABLE {sessions} ADD COLUMN removing_at timestamptz",
    _REMOVALS,
    "ALTER TABLE {counters} "
    """ADD COLUMN log_id text COLLATE "C" NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', ''), """
    "ADD COLUMN deleted_at timestamptz",
    _MISSING,
    _DELETED,
)
_POSTGRESQL_DOWN: Final = (
    _UNMARKED,  # its index too, which is in the same schema
    "ALTER TABLE {counters} DROP COLUMN log_id, DROP COLUMN deleted_at",
)

MIGRATION: Final = Migration(
    version=3,
    name="counters",
    up={Dialect.SQLITE: _SQLITE_UP, Dialect.POSTGRESQL: _POSTGRESQL_UP},
    down={Dialect.SQLITE: _SQLITE_DOWN, Dialect.POSTGRESQL: _POSTGRESQL_DOWN},
)
