"""An index for the records of state that expire, to find those that have."""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_INDEX: Final = ("CREATE INDEX asm_state_by_expiry ON {state} (expires_at) WHERE expires_at IS NOT NULL",)

MIGRATION: Final = Migration(
    version=9,
    name="state_expiry",
    up={Dialect.SQLITE: _INDEX, Dialect.POSTGRESQL: _INDEX},
    down={
        Dialect.SQLITE: ("DROP INDEX asm_state_by_expiry",),
        Dialect.POSTGRESQL: ("DROP INDEX {state}_by_expiry",),
    },
)
