"""The metadata of artifacts.

There is no foreign key to sessions: metadata outlives its session until cleanup, because its blob does too.
"""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_SQLITE: Final = """\
CREATE TABLE {artifacts} (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT,
    run_id TEXT,
    key TEXT NOT NULL UNIQUE,
    content_type TEXT,
    byte_size INTEGER NOT NULL,
    checksum_sha256 TEXT NOT NULL,
    storage_backend TEXT NOT NULL,
    storage_ref TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT"""

_POSTGRESQL: Final = """\
CREATE TABLE {artifacts} (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    session_id text COLLATE "C",
    run_id text COLLATE "C",
    key text COLLATE "C" NOT NULL UNIQUE,
    content_type text COLLATE "C",
    byte_size bigint NOT NULL,
    checksum_sha256 text COLLATE "C" NOT NULL,
    storage_backend text COLLATE "C" NOT NULL,
    storage_ref text COLLATE "C" NOT NULL,
    metadata json NOT NULL,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
)"""

_INDEXES: Final = ("CREATE INDEX asm_artifacts_of_session ON {artifacts} (session_id, created_at, id)",)

_DOWN: Final = ("DROP TABLE {artifacts}",)

MIGRATION: Final = Migration(
    version=2,
    name="artifacts",
    up={Dialect.SQLITE: (_SQLITE, *_INDEXES), Dialect.POSTGRESQL: (_POSTGRESQL, *_INDEXES)},
    down={Dialect.SQLITE: _DOWN, Dialect.POSTGRESQL: _DOWN},
)
