"""An index for the artifacts at given locations, to find content that no artifact has."""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_INDEX: Final = ("CREATE INDEX asm_artifacts_by_ref ON {artifacts} (storage_ref)",)

MIGRATION: Final = Migration(
    version=7,
    name="artifact_refs",
    up={Dialect.SQLITE: _INDEX, Dialect.POSTGRESQL: _INDEX},
    down={
        Dialect.SQLITE: ("DROP INDEX asm_artifacts_by_ref",),
        Dialect.POSTGRESQL: ("DROP INDEX {artifacts}_by_ref",),
    },
)
