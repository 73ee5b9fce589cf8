"""The revision of each session and run: the number of its saves, by which a save can expect that nothing changed."""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_TABLES: Final = ("{sessions}", "{runs}")
# A constant default: neither database rewrites the rows.
_UP: Final = {
    dialect: tuple(f"ALTER TABLE {table} ADD COLUMN revision {kind} NOT NULL DEFAULT 1" for table in _TABLES)
    for dialect, kind in ((Dialect.SQLITE, "INTEGER"), (Dialect.POSTGRESQL, "bigint"))
}
_DOWN: Final = tuple(f"ALTER TABLE {table} DROP COLUMN revision" for table in _TABLES)

MIGRATION: Final = Migration(
    version=4,
    name="revisions",
    up=_UP,
    down={Dialect.SQLITE: _DOWN, Dialect.POSTGRESQL: _DOWN},
)
