"""The counter of a session: its last number, the id of its log, and its deletion. It is created with the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asm_core.sql.dialects import Dialect, Execute

_MAKE: Final = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at, deleted_at) "
    "SELECT id, 0, created_at, deleted_at FROM {source} ON CONFLICT (session_id) DO NOTHING"
)


def make_counter(execute: Execute, dialect: Dialect, session_id: str) -> None:
    """Create the counter of a stored session if it has none, in the transaction that stores the session.

    The database assigns the random id of the log. An existing counter is neither changed nor locked.
    """
    execute(_MAKE.format(source=f"asm_sessions WHERE id = {dialect.mark}"), (session_id,))


def with_counter(insert: str) -> str:
    """Extend an insert into `asm_sessions` without RETURNING to create the counter too, in one PostgreSQL statement.

    It returns the stored `deleted_at` and `removing_at`. If the insert stores or updates no row, no counter is created.
    """
    return (
        f"WITH saved AS ({insert} RETURNING id, created_at, deleted_at, removing_at), "
        f"counter AS ({_MAKE.format(source='saved')}) "
        "SELECT deleted_at AT TIME ZONE 'UTC', removing_at FROM saved"
    )
