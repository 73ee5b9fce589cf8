"""The revision of each session and run: the number of its saves, by which a save can expect that nothing changed."""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_TABLES: Final = ("asm_sessions", "asm_runs")
# A constant default: neither database rewrites the rows.
_UP: Final = "ALTER TABLE {} ADD COLUMN revision {} NOT NULL DEFAULT 1"
_DOWN: Final = tuple(f"ALTER TABLE {table} DROP COLUMN revision" for table in _TABLES)

MIGRATION: Final = Migration(
    version=4,
    name="revisions",
    up={
        Dialect.SQLITE: tuple(_UP.format(table, "INTEGER") for table in _TABLES),
        Dialect.POSTGRESQL: tuple(_UP.format(table, "bigint") for table in _TABLES),
    },
    down={Dialect.SQLITE: _DOWN, Dialect.POSTGRESQL: _DOWN},
)
