"""Maintenance."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from peewee import fn

from asm_backend_peewee.database import Database
from asm_backend_peewee.reader import COUNT, Condition, PeeweeReader, allowed, behind, exists, narrowed
from asm_backend_peewee.session_store import remove_sessions
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


class PeeweeMaintenance(PeeweeReader, SQLMaintenance[Database]):
    """Maintenance on Peewee."""

    def _find_expired(self, query: ExpiredSessions) -> list[str]:
        sessions = self._sessions
        expired: list[Condition] = []
        if query.created_before is not None:
            expired.append(sessions.created_at < query.created_before)
        if query.ended_before is not None:
            ended = sessions.status.in_([str(status) for status in TERMINAL_SESSION_STATUSES])
            expired.append(ended & (sessions.updated_at < query.ended_before))
        return self._session_ids(query, sessions.deleted_at.is_null(), reduce(or_, expired))

    def _find_deleted(self, query: DeletedSessions) -> list[str]:
        return self._session_ids(query, self._sessions.deleted_at < query.deleted_before)

    def _find_oversized(self, query: OversizedSessions) -> list[str]:
        sessions, events, sequences = self._sessions, self._events, self._sequences
        # A session has at most as many events as numbers were given out: only those with enough are counted.
        numbered = sequences.select(sequences.session).where(sequences.last_sequence > query.max_events)
        stored = events.select(COUNT).where(events.session_id == sessions.id)
        return self._session_ids(
            query, *self._not_due(query.deleted_before), sessions.id.in_(numbered), stored > query.max_events
        )

    def _find_prunable(self, query: PrunableEvents) -> list[str]:
        events = self._events
        key = [getattr(events, field) for field in query.key]
        found = events.select(events.id).where(*self._prunable(query)).order_by(*key).limit(query.limit)
        if query.start is not None:
            found = found.where(behind(key, query.start))
        return [row[0] for row in self._rows(found)]

    def _count_prunable(self, query: PrunableEvents) -> int:
        return int(self._rows(self._events.select(COUNT).where(*self._prunable(query)))[0][0])

    def _count_stored(self, session_ids: Collection[str] | None) -> int:
        conditions = list(allowed(self._events.session_id, session_ids))
        return int(self._rows(narrowed(self._events.select(COUNT), conditions))[0][0])

    def _find_removable(self, query: RemovableArtifacts) -> list[str]:
        artifacts, sessions = self._artifacts, self._sessions
        its_own = sessions.id == artifacts.session_id
        removable = [artifacts.session_id.is_null(is_null=False) & ~exists(sessions, its_own)]
        if query.deleted_before is not None:
            removable.append(artifacts.deleted_at < query.deleted_before)
        if query.gone_before is not None:
            due = [sessions.deleted_at < query.gone_before, *self._not_exempt(query.exempt)]
            removable.append(exists(sessions, its_own, *due))
        found = artifacts.select(artifacts.id).where(artifacts.id > query.after, reduce(or_, removable))
        return [row[0] for row in self._rows(found.order_by(artifacts.id).limit(query.limit))]

    def _soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        marked = self._sessions.update(deleted_at=at).where(self._sessions.id.in_(list(session_ids)))
        with self._database.write() as connection:
            connection.execute(marked)

    def _remove_sessions(self, session_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            remove_sessions(connection, self._database.models, list(session_ids))

    def _remove_events(self, event_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(self._events.delete().where(self._events.id.in_(list(event_ids))))

    def _remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(self._artifacts.delete().where(self._artifacts.id.in_(list(artifact_ids))))

    def _session_ids(self, query: Any, *conditions: Condition) -> list[str]:
        sessions = self._sessions
        found = (
            sessions.select(sessions.id)
            .where(sessions.id > query.after, *self._not_exempt(query.exempt), *conditions)
            .order_by(sessions.id)
            .limit(query.limit)
        )
        return [row[0] for row in self._rows(found)]

    def _not_exempt(self, exemption: Exemption) -> list[Condition]:
        conditions: list[Condition] = []
        if exemption.tags:
            conditions.append(fn.NOT(self._sessions.tags.carries_any(tag_list(exemption.tags))))
        if exemption.statuses:
            conditions.append(self._sessions.status.not_in([str(status) for status in exemption.statuses]))
        return conditions

    def _not_due(self, deleted_before: datetime | None) -> list[Condition]:
        deleted_at = self._sessions.deleted_at
        return [] if deleted_before is None else [deleted_at.is_null() | (deleted_at >= deleted_before)]

    def _prunable(self, query: PrunableEvents) -> list[Condition]:
        events, sessions = self._events, self._sessions
        protected = [str(kind) for kind in PROTECTED_EVENT_TYPES]
        # Of one session this is asked once, and not of each event.
        owner = events.session_id if query.session_id is None else query.session_id
        due = [*self._not_exempt(query.exempt), *self._not_due(query.deleted_before)]
        conditions = [
            events.type.not_in(protected),
            *allowed(events.type, query.types),
            exists(sessions, sessions.id == owner, *due),
        ]
        if query.session_id is not None:
            conditions.append(events.session_id == query.session_id)
        return conditions
