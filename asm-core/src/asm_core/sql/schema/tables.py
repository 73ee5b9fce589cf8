"""The columns of the tables, in the order of the rows of core's codec."""

from __future__ import annotations

from typing import Final

SESSION_COLUMNS: Final = (
    "id",
    "agent_id",
    "status",
    "parent_session_id",
    "metadata",
    "context",
    "tags",
    "created_at",
    "updated_at",
    "deleted_at",
    "revision",
    "user_id",
    "title",
    # The title in the form that a search compares, derived when a session is saved:
    "title_folded",
)
REMOVING: Final = "removing_at"
"""An additional column of sessions, not in the model: the time at which the removal of a session began."""
RUN_COLUMNS: Final = (
    "id",
    "session_id",
    "status",
    "input",
    "output",
    "error",
    "metadata",
    "turn_count",
    "token_usage",
    "started_at",
    "ended_at",
    "provider",
    "provider_metadata",
    "cost_nanos",
    "revision",
    # Values for totals, derived from the fields above when a run is saved:
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "model",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)
EVENT_COLUMNS: Final = (
    "id",
    "session_id",
    "sequence_number",
    "type",
    "timestamp",
    "run_id",
    "data",
    "metadata",
    "schema_version",
    "provider",
    "correlation_id",
)
SEQUENCE_COLUMNS: Final = (
    "session_id",
    "last_sequence",
    "updated_at",
    "log_id",
    "deleted_at",
    # Values for the orders by activity: the user of the session, and the time of its last activity in whole seconds.
    "user_id",
    "active_at",
)
ARTIFACT_COLUMNS: Final = (
    "id",
    "session_id",
    "run_id",
    "key",
    "content_type",
    "byte_size",
    "checksum_sha256",
    "storage_backend",
    "storage_ref",
    "metadata",
    "created_at",
    "deleted_at",
)
STATE_COLUMNS: Final = (
    "namespace",
    "key",
    "value",
    "revision",
    "created_at",
    "updated_at",
    "expires_at",
)
