"""Maintenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, delete, exists, func, literal, not_, or_, select, update

from asm_backend_sqlmodel.columns import carries_any
from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.reader import (
    ARTIFACTS,
    EVENTS,
    SEQUENCES,
    SESSIONS,
    Condition,
    SQLModelReader,
    allowed,
    behind,
)
from asm_backend_sqlmodel.session_store import remove_sessions
from asm_core.models import TERMINAL_SESSION_STATUSES
from asm_core.retention import PROTECTED_EVENT_TYPES
from asm_core.sql import SQLMaintenance, tag_list

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from asm_core.retention import (
        DeletedSessions,
        Exemption,
        ExpiredSessions,
        OversizedSessions,
        PrunableEvents,
        RemovableArtifacts,
    )


class SQLModelMaintenance(SQLModelReader, SQLMaintenance[Database]):
    """Maintenance on SQLModel."""

    def _find_expired(self, query: ExpiredSessions) -> list[str]:
        sessions = SESSIONS.c
        expired: list[Condition] = []
        if query.created_before is not None:
            expired.append(sessions.created_at < query.created_before)
        if query.ended_before is not None:
            ended = sessions.status.in_([str(status) for status in TERMINAL_SESSION_STATUSES])
            expired.append(ended & (sessions.updated_at < query.ended_before))
        return self._session_ids(query, sessions.deleted_at.is_(None), or_(*expired))

    def _find_deleted(self, query: DeletedSessions) -> list[str]:
        return self._session_ids(query, SESSIONS.c.deleted_at < query.deleted_before)

    def _find_oversized(self, query: OversizedSessions) -> list[str]:
        # A session has at most as many events as numbers were given out: only those with enough are counted.
        numbered = select(SEQUENCES.c.session_id).where(SEQUENCES.c.last_sequence > query.max_events)
        stored = select(func.count()).select_from(EVENTS).where(EVENTS.c.session_id == SESSIONS.c.id).scalar_subquery()
        return self._session_ids(
            query, *_not_due(query.deleted_before), SESSIONS.c.id.in_(numbered), stored > query.max_events
        )

    def _find_prunable(self, query: PrunableEvents) -> list[str]:
        key = [EVENTS.c[field] for field in query.key]
        statement = select(EVENTS.c.id).where(*_prunable(query)).order_by(*key).limit(query.limit)
        if query.start is not None:
            statement = statement.where(behind(key, query.start))
        return [row[0] for row in self._rows(statement)]

    def _count_prunable(self, query: PrunableEvents) -> int:
        return int(self._rows(select(func.count()).select_from(EVENTS).where(*_prunable(query)))[0][0])

    def _count_stored(self, session_ids: Collection[str] | None) -> int:
        statement = select(func.count()).select_from(EVENTS).where(*allowed(EVENTS.c.session_id, session_ids))
        return int(self._rows(statement)[0][0])

    def _find_removable(self, query: RemovableArtifacts) -> list[str]:
        artifacts, sessions = ARTIFACTS.c, SESSIONS.c
        owner = exists().where(sessions.id == artifacts.session_id)
        removable: list[Condition] = [artifacts.session_id.is_not(None) & not_(owner)]
        if query.deleted_before is not None:
            removable.append(artifacts.deleted_at < query.deleted_before)
        if query.gone_before is not None:
            due = [sessions.deleted_at < query.gone_before, *_not_exempt(query.exempt)]
            removable.append(exists().where(sessions.id == artifacts.session_id, *due))
        statement = select(artifacts.id).where(artifacts.id > query.after, or_(*removable))
        return [row[0] for row in self._rows(statement.order_by(artifacts.id).limit(query.limit))]

    def _soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._database.write() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.id.in_(session_ids)).values(deleted_at=at))

    def _remove_sessions(self, session_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            remove_sessions(connection, list(session_ids))

    def _remove_events(self, event_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(delete(EVENTS).where(EVENTS.c.id.in_(event_ids)))

    def _remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(delete(ARTIFACTS).where(ARTIFACTS.c.id.in_(artifact_ids)))

    def _session_ids(self, query: Any, *conditions: Condition) -> list[str]:
        statement = (
            select(SESSIONS.c.id)
            .where(SESSIONS.c.id > query.after, *_not_exempt(query.exempt), *conditions)
            .order_by(SESSIONS.c.id)
            .limit(query.limit)
        )
        return [row[0] for row in self._rows(statement)]


def _not_exempt(exemption: Exemption) -> list[Condition]:
    conditions: list[Condition] = []
    if exemption.tags:
        conditions.append(not_(carries_any(SESSIONS.c.tags, literal(tag_list(exemption.tags), Text))))
    if exemption.statuses:
        conditions.append(SESSIONS.c.status.not_in([str(status) for status in exemption.statuses]))
    return conditions


def _not_due(deleted_before: datetime | None) -> list[Condition]:
    if deleted_before is None:
        return []
    return [SESSIONS.c.deleted_at.is_(None) | (SESSIONS.c.deleted_at >= deleted_before)]


def _prunable(query: PrunableEvents) -> list[Condition]:
    protected = [str(kind) for kind in PROTECTED_EVENT_TYPES]
    # Of one session this is asked once, and not of each event.
    owner = EVENTS.c.session_id if query.session_id is None else query.session_id
    session = [SESSIONS.c.id == owner, *_not_exempt(query.exempt), *_not_due(query.deleted_before)]
    conditions = [
        EVENTS.c.type.not_in(protected),
        *allowed(EVENTS.c.type, query.types),
        exists(select(literal(1)).where(*session)),
    ]
    if query.session_id is not None:
        conditions.append(EVENTS.c.session_id == query.session_id)
    return conditions
