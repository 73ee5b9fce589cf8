"""Maintenance: the questions and deletions that core's planning of retention is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pony.orm import count, exists, select

from asm_backend_pony.reader import PonyReader
from asm_backend_pony.session_store import remove_sessions
from asm_core import Maintenance
from asm_core.models import TERMINAL_SESSION_STATUSES
from asm_core.retention import PROTECTED_EVENT_TYPES
from asm_core.sql import SQLMaintenance

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_core.retention import (
        DeletedSessions,
        Exemption,
        ExpiredSessions,
        OversizedSessions,
        PrunableEvents,
        RemovableArtifacts,
    )

    _Batch = ExpiredSessions | DeletedSessions | OversizedSessions | RemovableArtifacts

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""The time before which there is nothing."""


class PonyMaintenance(SQLMaintenance, PonyReader, Maintenance):
    """Retention and health."""

    def _find_expired(self, query: ExpiredSessions) -> list[str]:
        created, ended = (self._codec.encode(at or _NEVER) for at in (query.created_before, query.ended_before))
        terminal = self._columns.several(TERMINAL_SESSION_STATUSES)
        live = self._unexempt(query.exempt).where(lambda s: s.deleted_at is None)
        found = live.where(lambda s: s.created_at < created or (s.status in terminal and s.updated_at < ended))
        return self._next_ids("s", found, query)

    def _find_deleted(self, query: DeletedSessions) -> list[str]:
        found = self._compared(self._unexempt(query.exempt), "s.deleted_at <", query.deleted_before)
        return self._next_ids("s", found, query)

    def _find_oversized(self, query: OversizedSessions) -> list[str]:
        most, events = query.max_events, self._models.EventRow
        sessions = self._not_due(self._unexempt(query.exempt), query.deleted_before)
        found = select(s for s in sessions if count(e for e in events if e.session_id == s) > most)
        return self._next_ids("s", found, query)

    def _find_prunable(self, query: PrunableEvents) -> list[str]:
        found = self._prunable(select(e.id for e in self._models.EventRow), query)
        with self._database.read() as connection:
            return connection.values(self._ordered("e", found, query.key, query.start), limit=query.limit)

    def _count_prunable(self, query: PrunableEvents) -> int:
        return self._count(self._prunable(select(count() for e in self._models.EventRow), query))

    def _count_stored(self, session_ids: Collection[str] | None) -> int:
        return self._count(self._any_of(select(count() for e in self._models.EventRow), "e.session_id", session_ids))

    def _find_removable(self, query: RemovableArtifacts) -> list[str]:
        deleted, due = (self._codec.encode(at or _NEVER) for at in (query.deleted_before, query.gone_before))
        artifacts, sessions = self._models.ArtifactRow, self._models.SessionRow
        gone = self._unexempt(query.exempt).where(lambda s: s.deleted_at < due)
        found = select(
            a.id
            for a in artifacts
            if a.deleted_at < deleted
            or a.session_id in gone
            or (a.session_id is not None and not exists(s for s in sessions if s.id == a.session_id))
        )
        return self._next_ids("a", found, query)

    def _soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        columns = self._columns
        mark_deleted = f"UPDATE asm_sessions SET deleted_at = {columns.mark} WHERE id {columns.among}"  # noqa: S608
        with self._database.write() as connection:
            connection.execute_sql(mark_deleted, (self._codec.encode(at), columns.listed(session_ids)))

    def _remove_sessions(self, session_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            remove_sessions(self._database, connection, session_ids)

    def _remove_events(self, event_ids: Sequence[str]) -> None:
        ids = self._columns.several(event_ids)
        with self._database.write() as connection:
            connection.delete(select(e for e in self._models.EventRow if e.id in ids))

    def _remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        ids = self._columns.several(artifact_ids)
        with self._database.write() as connection:
            connection.delete(select(a for a in self._models.ArtifactRow if a.id in ids))

    def _unexempt(self, exempt: Exemption) -> Query:
        """Return the sessions that may be touched, `s`."""
        statuses, untagged = self._columns.several(exempt.statuses), self._columns.untagged(exempt.tags)
        return select(s.id for s in self._models.SessionRow if s.status not in statuses and untagged)

    def _not_due(self, found: Query, deleted_before: datetime | None) -> Query:
        """Leave out sessions that are to be removed for good anyway."""
        if deleted_before is None:
            return found
        due = self._codec.encode(deleted_before)
        return found.where(lambda s: s.deleted_at is None or s.deleted_at >= due)

    def _prunable(self, found: Query, query: PrunableEvents) -> Query:
        protected = self._columns.several(PROTECTED_EVENT_TYPES)
        sessions = self._not_due(self._unexempt(query.exempt), query.deleted_before)
        found = self._any_of(found, "e.type", query.types).where(lambda e: e.type not in protected)
        found = self._compared(found, "e.session_id =", query.session_id)
        return found.where(lambda e: e.session_id in sessions)

    def _next_ids(self, alias: str, found: Query, query: _Batch) -> list[str]:
        with self._database.read() as connection:
            return connection.values(self._ordered(alias, found, ("id",), (query.after,)), limit=query.limit)
