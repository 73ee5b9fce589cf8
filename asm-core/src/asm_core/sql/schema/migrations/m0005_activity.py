"""The user and the title of a session, and the activity of a session in its counter.

An order by activity has one index, because the counter has the user of the session too. The time of the last activity
has no fraction of a second, so that most appends do not change the index.
"""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

# Once for all sessions: for one session, PostgreSQL may read the events of all others in the order of their times.
_LAST_EVENTS: Final = (
    "(SELECT session_id, MAX(timestamp) AS at FROM {events} GROUP BY session_id) e ON e.session_id = s.id"
)
_INDEXES: Final = (
    "CREATE INDEX asm_sessions_of_user ON {sessions} (user_id, created_at, id) WHERE user_id IS NOT NULL",
    "CREATE INDEX asm_sessions_by_user ON {sessions} (user_id, updated_at, id) WHERE user_id IS NOT NULL",
    "CREATE INDEX asm_sessions_of_parent ON {sessions} (parent_session_id, created_at, id) "
    "WHERE parent_session_id IS NOT NULL",
    "CREATE INDEX asm_counters_by_activity ON {counters} (active_at, session_id)",
    "CREATE INDEX asm_counters_of_user ON {counters} (user_id, active_at, session_id) WHERE user_id IS NOT NULL",
)

# SQLite cannot add a column with a computed default, so the table is rebuilt.
_SQLITE_UP: Final = (
    "ALTER TABLE {sessions} ADD COLUMN user_id TEXT",
    "ALTER TABLE {sessions} ADD COLUMN title TEXT",
    "ALTER TABLE {sessions} ADD COLUMN title_folded TEXT",
    "CREATE TABLE asm_counters_aside AS SELECT * FROM {counters}",
    "DROP TABLE {counters}",
    """\
CREATE TABLE {counters} (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES {sessions} (id) ON DELETE CASCADE,
    last_sequence INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    log_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    deleted_at TEXT,
    user_id TEXT,
    active_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now'))
) STRICT, WITHOUT ROWID""",
    "INSERT INTO {counters} (session_id, last_sequence, updated_at, log_id, deleted_at, active_at) "
    "SELECT a.session_id, a.last_sequence, a.updated_at, a.log_id, a.deleted_at, "
    "substr(MAX(s.created_at, coalesce(e.at, '')), 1, 19) || '.000000Z' "
    f"FROM asm_counters_aside a JOIN {{sessions}} s ON s.id = a.session_id LEFT JOIN {_LAST_EVENTS}",
    "DROP TABLE asm_counters_aside",
    *_INDEXES,
)
_SQLITE_DOWN: Final = (
    "DROP INDEX asm_counters_of_user",
    "DROP INDEX asm_counters_by_activity",
    "DROP INDEX asm_sessions_of_parent",
    "DROP INDEX asm_sessions_by_user",
    "DROP INDEX asm_sessions_of_user",
    "ALTER TABLE {counters} DROP COLUMN active_at",
    "ALTER TABLE {counters} DROP COLUMN user_id",
    "ALTER TABLE {sessions} DROP COLUMN title_folded",
    "ALTER TABLE {sessions} DROP COLUMN title",
    "ALTER TABLE {sessions} DROP COLUMN user_id",
)

# Sessions before counters, the lock order of writers. With a column, PostgreSQL drops its indexes.
_POSTGRESQL_UP: Final = (
    """ALTER TABLE {sessions} ADD COLUMN user_id text COLLATE "C", ADD COLUMN title text COLLATE "C", """
    """ADD COLUMN title_folded text COLLATE "C\"""",
    """ALTER TABLE {counters} ADD COLUMN user_id text COLLATE "C", ADD COLUMN active_at timestamptz""",
    "UPDATE {counters} AS c SET active_at = date_trunc('second', GREATEST(s.created_at, e.at)) "
    f"FROM {{sessions}} s LEFT JOIN {_LAST_EVENTS} WHERE s.id = c.session_id",
    "ALTER TABLE {counters} ALTER COLUMN active_at SET DEFAULT date_trunc('second', now()), "
    "ALTER COLUMN active_at SET NOT NULL",
    *_INDEXES,
)
_POSTGRESQL_DOWN: Final = (
    "DROP INDEX {sessions}_of_parent",
    "ALTER TABLE {sessions} DROP COLUMN user_id, DROP COLUMN title, DROP COLUMN title_folded",
    "ALTER TABLE {counters} DROP COLUMN user_id, DROP COLUMN active_at",
)

MIGRATION: Final = Migration(
    version=5,
    name="activity",
    up={Dialect.SQLITE: _SQLITE_UP, Dialect.POSTGRESQL: _POSTGRESQL_UP},
    down={Dialect.SQLITE: _SQLITE_DOWN, Dialect.POSTGRESQL: _POSTGRESQL_DOWN},
)
