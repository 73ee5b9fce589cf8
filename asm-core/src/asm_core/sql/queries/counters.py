"""The counter of a session: its last number, the id of its log, and its deletion. It is created with the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asm_core.sql.queries.words import Words


def making(words: Words) -> str:
    """Return the statement that creates the counter of a stored session if it has none.

    The database assigns the random id of the log. An existing counter is neither changed nor locked.
    """
    return _making(words, f"{words.sessions} s WHERE s.id = {words.mark}")


def moving(words: Words) -> str:
    """Return the statement that copies the user of a session to its counter, if it differs."""
    return (
        f"UPDATE {words.counters} AS c SET user_id = {words.mark} "
        f"WHERE c.session_id = {words.mark} AND c.user_id {words.differs} {words.mark}"
    )


def with_counter(insert: str, words: Words) -> str:
    """Extend an insert of a session without RETURNING to create the counter too, in one PostgreSQL statement.

    It returns the stored `deleted_at`, `removing_at` and `revision`. If the insert stores or updates no row, no counter
    is created.
    """
    return (
        f"WITH saved AS ({insert} RETURNING s.id, s.created_at, s.deleted_at, s.removing_at, s.revision, s.user_id), "
        f"counter AS ({_making(words, 'saved s')}), "
        # A counter with the same user is neither changed nor locked.
        f"moved AS (UPDATE {words.counters} AS c SET user_id = saved.user_id FROM saved "
        "WHERE c.session_id = saved.id AND c.user_id IS DISTINCT FROM saved.user_id) "
        "SELECT saved.deleted_at AT TIME ZONE 'UTC', saved.removing_at, saved.revision FROM saved"
    )


def _making(words: Words, source: str) -> str:
    return (
        f"INSERT INTO {words.counters} (session_id, last_sequence, updated_at, deleted_at, user_id, active_at) "
        f"SELECT s.id, 0, s.created_at, s.deleted_at, s.user_id, {words.second.format('s.created_at')} FROM {source} "
        "ON CONFLICT (session_id) DO NOTHING"
    )
