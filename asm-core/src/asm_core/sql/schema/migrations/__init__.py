"""The numbered migrations, oldest first, one module each. Released migrations never change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.sql.schema.migrations import (
    m0001_sessions,
    m0002_artifacts,
    m0003_counters,
    m0004_revisions,
    m0005_activity,
    m0006_token_parts,
    m0007_artifact_refs,
    m0008_state,
    m0009_state_expiry,
)

if TYPE_CHECKING:
    from asm_core.sql.schema.migrations.migration import Migration

MIGRATIONS: Final[tuple[Migration, ...]] = (
    m0001_sessions.MIGRATION,
    m0002_artifacts.MIGRATION,
    m0003_counters.MIGRATION,
    m0004_revisions.MIGRATION,
    m0005_activity.MIGRATION,
    m0006_token_parts.MIGRATION,
    m0007_artifact_refs.MIGRATION,
    m0008_state.MIGRATION,
    m0009_state_expiry.MIGRATION,
)
