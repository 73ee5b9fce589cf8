"""Maintenance in memory."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Any

import msgspec

from asm_core.memory.reader import MemoryReader
from asm_core.memory.session_store import remove_session
from asm_core.models import TERMINAL_SESSION_STATUSES
from asm_core.ports import Maintenance
from asm_core.retention import PROTECTED_EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.models import Artifact, Event, Session
    from asm_core.retention import (
        DeletedSessions,
        Exemption,
        ExpiredSessions,
        OversizedSessions,
        PrunableEvents,
        RemovableArtifacts,
    )


class MemoryMaintenance(MemoryReader, Maintenance):
    """Maintenance in memory."""

    def _batch(self) -> AbstractContextManager[None]:
        return self._state.transaction()

    def _find_expired(self, query: ExpiredSessions) -> list[str]:
        def expired(session: Session) -> bool:
            too_old = query.created_before is not None and session.created_at < query.created_before
            ended = session.status in TERMINAL_SESSION_STATUSES
            over = ended and query.ended_before is not None and session.updated_at < query.ended_before
            return session.deleted_at is None and (too_old or over)

        return self._ids(query, expired)

    def _find_deleted(self, query: DeletedSessions) -> list[str]:
        return self._ids(query, lambda session: _deleted_before(session, query.deleted_before))

    def _find_oversized(self, query: OversizedSessions) -> list[str]:
        def oversized(session: Session) -> bool:
            size = len(self._state.logs.get(session.id, ()))
            return size > query.max_events and not _deleted_before(session, query.deleted_before)

        return self._ids(query, oversized)

    def _find_prunable(self, query: PrunableEvents) -> list[str]:
        def age(event: Event) -> tuple[Any, ...]:
            return tuple([getattr(event, field) for field in query.key])

        with self._state.lock:
            behind = (event for event in self._prunable(query) if query.start is None or age(event) > query.start)
            oldest = nsmallest(query.limit or len(self._state.events), behind, key=age)
        return [event.id for event in oldest]

    def _count_prunable(self, query: PrunableEvents) -> int:
        with self._state.lock:
            return sum(1 for _ in self._prunable(query))

    def _count_stored(self, session_ids: Collection[str] | None) -> int:
        with self._state.lock:
            if session_ids is None:
                return len(self._state.events)
            return sum(len(self._state.logs.get(session_id, ())) for session_id in session_ids)

    def _find_removable(self, query: RemovableArtifacts) -> list[str]:
        def removable(artifact: Artifact) -> bool:
            if _deleted_before(artifact, query.deleted_before):
                return True
            if artifact.session_id is None:
                return False
            session = self._state.sessions.get(artifact.session_id)
            return session is None or (
                _deleted_before(session, query.gone_before) and not _exempt(session, query.exempt)
            )

        with self._state.lock:
            found = [artifact.id for artifact in self._state.artifacts.values() if removable(artifact)]
        return sorted(artifact_id for artifact_id in found if artifact_id > query.after)[: query.limit]

    def _soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._state.transaction():
            for session_id in session_ids:
                session = msgspec.structs.replace(self._state.sessions[session_id], deleted_at=at)
                self._state.put(self._state.sessions, session_id, session)

    def _remove_sessions(self, session_ids: Sequence[str]) -> None:
        with self._state.transaction():
            for session_id in session_ids:
                remove_session(self._state, session_id)

    def _remove_events(self, event_ids: Sequence[str]) -> None:
        with self._state.transaction():
            for event_id in event_ids:
                event = self._state.events[event_id]
                self._state.drop(self._state.logs[event.session_id], event.sequence_number)
                self._state.drop(self._state.events, event_id)

    def _remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        with self._state.transaction():
            for artifact_id in artifact_ids:
                self._state.drop(self._state.artifacts, artifact_id)

    def _find_faults(self) -> list[str]:
        with self._state.lock:
            return [
                f"Session {session_id} has an event {max(log)}, beyond its last, {self._state.counters[session_id]}"
                for session_id, log in self._state.logs.items()
                if log and max(log) > self._state.counters.get(session_id, 0)
            ]

    def _ids(
        self, query: ExpiredSessions | DeletedSessions | OversizedSessions, passes: Callable[[Session], bool]
    ) -> list[str]:
        with self._state.lock:
            found = [
                session.id
                for session in self._state.sessions.values()
                if session.id > query.after and not _exempt(session, query.exempt) and passes(session)
            ]
        return sorted(found)[: query.limit]

    def _prunable(self, query: PrunableEvents) -> Iterator[Event]:
        ids: Iterable[str] = self._state.logs if query.session_id is None else [query.session_id]
        for session_id in ids:
            session = self._state.sessions[session_id]
            if _exempt(session, query.exempt) or _deleted_before(session, query.deleted_before):
                continue
            for event in self._state.logs.get(session_id, {}).values():
                if event.type not in PROTECTED_EVENT_TYPES and (query.types is None or event.type in query.types):
                    yield event


def _exempt(session: Session, exemption: Exemption) -> bool:
    return session.status in exemption.statuses or not set(session.tags).isdisjoint(exemption.tags)


def _deleted_before(item: Session | Artifact, time: datetime | None) -> bool:
    return time is not None and item.deleted_at is not None and item.deleted_at < time
