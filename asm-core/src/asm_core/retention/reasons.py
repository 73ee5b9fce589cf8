"""The reasons for which a maintenance pass changes a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.models import TERMINAL_SESSION_STATUSES

if TYPE_CHECKING:
    from asm_core.models import Session
    from asm_core.retention.policy import RetentionPolicy
    from asm_core.retention.questions import ExpiredSessions


def why_expired(session: Session, policy: RetentionPolicy, query: ExpiredSessions) -> str:
    """Return why a session that `query` finds is soft-deleted."""
    if query.created_before is not None and session.created_at < query.created_before:
        return f"created {session.created_at:%Y-%m-%d} (max_session_age_days = {policy.max_session_age_days})"
    if (
        query.ended_before is not None
        and session.status in TERMINAL_SESSION_STATUSES
        and session.updated_at < query.ended_before
    ):
        limit = policy.max_completed_session_age_days
        return f"{session.status} {session.updated_at:%Y-%m-%d} (max_completed_session_age_days = {limit})"
    return f"without an event for {policy.max_idle_days} days (max_idle_days = {policy.max_idle_days})"


def why_removed(session: Session, policy: RetentionPolicy) -> str:
    """Return why a session is removed permanently."""
    if session.deleted_at is None:
        return "its removal has begun"
    return f"deleted {session.deleted_at:%Y-%m-%d} (hard_delete_after_days = {policy.hard_delete_after_days})"


def why_pruned(count: int, most: int, _session: Session) -> str:
    """Return why events of a session are pruned."""
    return f"{count} events too many (max_events_per_session = {most})"
