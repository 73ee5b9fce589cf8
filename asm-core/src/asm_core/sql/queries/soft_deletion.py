"""Soft deletion: a session and its counter have the same `deleted_at`, set and cleared in one transaction.

An append locks and reads the counter alone. A writer of runs locks the session FOR KEY SHARE, which waits for FOR
UPDATE, so that no run is stored in a session whose deletion commits during the wait. Sessions are locked before
counters, each in the order of their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.errors import SessionDeletedError, SessionNotFoundError
from asm_core.sql.codec import codec_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.sql.dialects import Dialect, Execute


def soft_delete(execute: Execute, dialect: Dialect, session_ids: Sequence[str], at: datetime) -> None:
    """Set `deleted_at` of the sessions that have none, and of their counters, in the caller's write transaction."""
    codec = codec_of(dialect)
    ids = codec.encode_several(list(session_ids))
    _lock(execute, dialect, ids)
    execute(
        f"UPDATE asm_sessions SET deleted_at = {dialect.mark} WHERE id {dialect.among} AND deleted_at IS NULL",
        (codec.encode_time(at), ids),
    )
    _mark_counters(execute, dialect, ids)


def undelete(execute: Execute, dialect: Dialect, session_id: str) -> None:
    """Clear `deleted_at` of a session and its counter, in the caller's write transaction.

    Raises:
        SessionDeletedError: the removal of the session has begun.
    """
    ids = codec_of(dialect).encode_several([session_id])
    if any(is_in_removal for (is_in_removal,) in _lock(execute, dialect, ids)):
        raise SessionDeletedError(session_id, in_removal=True)
    execute(f"UPDATE asm_sessions SET deleted_at = NULL WHERE id {dialect.among}", (ids,))
    _mark_counters(execute, dialect, ids)


def refusal(execute: Execute, dialect: Dialect, session_id: str) -> SessionNotFoundError | SessionDeletedError:
    """Return the error for a soft-deleted session."""
    sql = f"SELECT removing_at IS NOT NULL FROM asm_sessions WHERE id = {dialect.mark}"
    found = execute(sql, (session_id,)).fetchall()
    return SessionDeletedError(session_id, in_removal=bool(found[0][0])) if found else SessionNotFoundError(session_id)


def _lock(execute: Execute, dialect: Dialect, ids: str) -> list[Any]:
    """Lock sessions and their counters; return for each session whether its removal has begun."""
    lock = dialect.locking("UPDATE")
    sessions = f"SELECT removing_at IS NOT NULL FROM asm_sessions WHERE id {dialect.among} ORDER BY id{lock}"
    held = execute(sessions, (ids,)).fetchall()
    if lock:
        counters = f"SELECT 1 FROM asm_session_sequences WHERE session_id {dialect.among} ORDER BY session_id{lock}"
        execute(counters, (ids,)).fetchall()
    return held


def _mark_counters(execute: Execute, dialect: Dialect, ids: str) -> None:
    # Copied, so that a counter that differs is repaired.
    execute(
        "UPDATE asm_session_sequences SET deleted_at = (SELECT deleted_at FROM asm_sessions WHERE id = session_id) "
        f"WHERE session_id {dialect.among}",
        (ids,),
    )
