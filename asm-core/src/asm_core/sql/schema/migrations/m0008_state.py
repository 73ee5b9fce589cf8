"""The records of the state store."""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_SQLITE: Final = """\
CREATE TABLE {state} (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    expires_at TEXT,
    PRIMARY KEY (namespace, key)
) STRICT"""

_POSTGRESQL: Final = """\
CREATE TABLE {state} (
    namespace text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value json NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (namespace, key)
)"""

_DOWN: Final = ("DROP TABLE {state}",)

MIGRATION: Final = Migration(
    version=8,
    name="state",
    up={Dialect.SQLITE: (_SQLITE,), Dialect.POSTGRESQL: (_POSTGRESQL,)},
    down={Dialect.SQLITE: _DOWN, Dialect.POSTGRESQL: _DOWN},
)
