"""Soft deletion: a session and its counter have the same `deleted_at`, set and cleared in one transaction.

An append locks and reads the counter alone. A writer of runs locks the session FOR KEY SHARE, which waits for FOR
UPDATE, so that no run is stored in a session whose deletion commits during the wait. Sessions are locked before
counters, each in the order of their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.errors import SessionDeletedError, SessionNotFoundError
from asm_core.sql.queries.locks import lock_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words


def soft_delete(execute: Execute, words: Words, session_ids: Sequence[str], at: datetime) -> None:
    """Set `deleted_at` of the sessions that have none, and of their counters, in the caller's write transaction."""
    codec = words.codec
    ids = codec.encode_several(list(_lock(execute, words, session_ids)))
    execute(
        f"UPDATE {words.sessions} AS s SET deleted_at = {words.mark} "
        f"WHERE s.id {words.one_of} AND s.deleted_at IS NULL",
        (codec.encode_time(at), ids),
    )
    _mark_counters(execute, words, ids)


def undelete(execute: Execute, words: Words, session_id: str) -> None:
    """Clear `deleted_at` of a session and its counter, in the caller's write transaction.

    Raises:
        SessionDeletedError: the removal of the session has begun.
    """
    held = _lock(execute, words, [session_id])
    if any(held.values()):
        raise SessionDeletedError(session_id, in_removal=True)
    ids = words.codec.encode_several(list(held))
    execute(f"UPDATE {words.sessions} AS s SET deleted_at = NULL WHERE s.id {words.one_of}", (ids,))
    _mark_counters(execute, words, ids)


def refusal(execute: Execute, words: Words, session_id: str) -> SessionNotFoundError | SessionDeletedError:
    """Return the error for a soft-deleted session."""
    sql = f"SELECT s.removing_at IS NOT NULL FROM {words.sessions} s WHERE s.id = {words.mark}"
    found = execute(sql, (session_id,)).fetchall()
    return SessionDeletedError(session_id, in_removal=bool(found[0][0])) if found else SessionNotFoundError(session_id)


def _lock(execute: Execute, words: Words, session_ids: Sequence[str]) -> dict[str, bool]:
    """Lock sessions and their counters; return for each session that exists whether its removal has begun.

    No later statement may touch another session: one that is created meanwhile would be locked after its counter.
    """
    lock = words.locking("UPDATE")
    sessions = f"SELECT s.id, s.removing_at IS NOT NULL FROM {words.sessions} s WHERE s.id {words.one_of}"
    held = dict(lock_rows(execute, words, f"{sessions} ORDER BY s.id{lock}", session_ids))
    if lock:
        counters = f"SELECT 1 FROM {words.counters} c WHERE c.session_id {words.one_of} ORDER BY c.session_id{lock}"
        lock_rows(execute, words, counters, held)
    return held


def _mark_counters(execute: Execute, words: Words, ids: str) -> None:
    # Copied, so that a counter that differs is repaired.
    execute(
        f"UPDATE {words.counters} AS c SET deleted_at = (SELECT s.deleted_at FROM {words.sessions} s "
        f"WHERE s.id = c.session_id) WHERE c.session_id {words.one_of}",
        (ids,),
    )
