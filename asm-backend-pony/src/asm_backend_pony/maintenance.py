"""Maintenance: the questions and deletions that core's planning of retention is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pony.orm import count, exists, select

from asm_backend_pony.reader import PonyReader
from asm_backend_pony.session_store import remove_sessions
from asm_core.models import TERMINAL_SESSION_STATUSES
from asm_core.retention import PROTECTED_EVENT_TYPES as PROTECTED
from asm_core.sql import SQLMaintenance

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_backend_pony.database import Database  # noqa: F401  the base class is given it
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


class PonyMaintenance(PonyReader, SQLMaintenance["Database"]):
    """Retention and health."""

    def _find_expired(self, query: ExpiredSessions) -> list[str]:
        created, ended = (self._codec.encode(at or _NEVER) for at in (query.created_before, query.ended_before))
        terminal = self._columns.several(TERMINAL_SESSION_STATUSES)
        live = self._unexempt(query.exempt).where(lambda s: s.deleted_at is None)
        found = live.where(lambda s: s.created_at < created or (s.status in terminal and s.updated_at < ended))
        return self._next_ids("s", found, query)

    def _find_deleted(self, query: DeletedSessions) -> list[str]:
        due = self._codec.encode(query.deleted_before)
        found = self._unexempt(query.exempt).where(lambda s: s.deleted_at < due)
        return self._next_ids("s", found, query)

    def _find_oversized(self, query: OversizedSessions) -> list[str]:
        most, events, due = query.max_events, self._models.EventRow, self._codec.encode(query.deleted_before or _NEVER)
        sessions = self._unexempt(query.exempt).where(lambda s: s.deleted_at is None or s.deleted_at >= due)
        found = select(s for s in sessions if count(e for e in events if e.session_id == s) > most)
        return self._next_ids("s", found, query)

    def _find_prunable(self, query: PrunableEvents) -> list[str]:
        events = self._prunable(query)
        found = self._ordered("e", select(e.id for e in events), query.key, query.start)
        with self._database.read() as connection:
            return connection.values(found, limit=query.limit)

    def _count_prunable(self, query: PrunableEvents) -> int:
        events = self._prunable(query)
        return self._counted(select(count() for e in events))

    def _count_stored(self, session_ids: Collection[str] | None) -> int:
        stored = select(count() for e in self._models.EventRow)
        return self._counted(stored if session_ids is None else self._any_of(stored, "e.session_id", session_ids))

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

    def _prunable(self, query: PrunableEvents) -> Query:
        """Return the events that may be pruned, `e`."""
        events, sessions, protected = self._models.EventRow, self._models.SessionRow, self._columns.several(PROTECTED)
        statuses = self._columns.several(query.exempt.statuses)
        untagged = self._columns.untagged(query.exempt.tags)
        due = self._codec.encode(query.deleted_before or _NEVER)
        found = select(
            e
            for e in events
            if e.type not in protected
            and exists(
                s
                for s in sessions
                if s.id == e.session_id
                and s.status not in statuses
                and untagged
                and (s.deleted_at is None or s.deleted_at >= due)
            )
        )
        if query.types is not None:
            found = self._any_of(found, "e.type", query.types)
        if query.session_id is not None:
            found = self._any_of(found, "e.session_id", (query.session_id,))
        return found

    def _counted(self, counted: Query) -> int:
        with self._database.read() as connection:
            return int(connection.values(counted)[0])

    def _next_ids(self, alias: str, found: Query, query: _Batch) -> list[str]:
        with self._database.read() as connection:
            return connection.values(self._ordered(alias, found, ("id",), (query.after,)), limit=query.limit)
