"""The retention store of the in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from asm_core.errors import SessionDeletedError
from asm_core.event_log.consistency import find_faults
from asm_core.memory.reader import MemoryReader
from asm_core.memory.removing import drop_events, remove_marked
from asm_core.retention import EventMark, Found, Removal, RetentionStore, Stretch
from asm_core.retention.matching import (
    found,
    is_deleted_before,
    is_exempt,
    is_expired,
    is_oversized,
    is_prunable,
    marks_of,
    stretch_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.models import Artifact, Event, Session
    from asm_core.retention import (
        DeletedSessions,
        ExpiredSessions,
        OversizedSessions,
        PrunableSessions,
        RemovableArtifacts,
    )

    Key = tuple[Any, ...]


class MemoryRetentionStore(MemoryReader, RetentionStore):
    """The primitives of maintenance in memory. A stretch is the whole rest of a log, because counting is free."""

    def batch(self) -> AbstractContextManager[None]:
        return self._state.transaction()

    def find_expired(self, query: ExpiredSessions) -> Found:
        return self._found_sessions(query, lambda session: is_expired(session, self._active_at(session), query))

    def find_deleted(self, query: DeletedSessions) -> Found:
        return self._found_sessions(query, lambda session: is_deleted_before(session, query.deleted_before))

    def find_oversized(self, query: OversizedSessions) -> Found:
        last = self._state.counters
        return self._found_sessions(query, lambda session: is_oversized(session, last.get(session.id, 0), query))

    def find_removable(self, query: RemovableArtifacts) -> Found:
        def gone(session_id: str) -> bool:
            session = self.session(session_id)
            if session is None:
                return True
            return is_deleted_before(session, query.gone_before) and not is_exempt(session, query.exempt)

        def removable(artifact: Artifact) -> bool:
            its_own = is_deleted_before(artifact, query.deleted_before)
            return its_own or (artifact.session_id is not None and gone(artifact.session_id))

        with self._state.lock:
            return found((one.id for one in self._state.artifacts.values() if removable(one)), query)

    def find_prunable(self, query: PrunableSessions) -> list[str]:
        with self._state.lock:
            sessions = [session for session_id in query.ids if (session := self.session(session_id)) is not None]
        return [session.id for session in sessions if is_prunable(session, query)]

    def find_marked(self, after: str, limit: int) -> list[str]:
        with self._state.lock:
            return sorted(session_id for session_id in self._state.removing if session_id > after)[:limit]

    def next_stretch(self, session_id: str | None, after: Key | None) -> Stretch | None:
        with self._state.lock:
            return stretch_of(self._events(session_id), session_id, after)

    def list_events(self, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        with self._state.lock:
            return marks_of(self._events(session_id), session_id, stretch)

    def soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._state.transaction():
            for session_id in session_ids:
                session = self._state.sessions.get(session_id)
                if session is not None and session.deleted_at is None:
                    self._mark(session, at)

    def undelete_session(self, session_id: str) -> None:
        with self._state.transaction():
            if session_id in self._state.removing:
                raise SessionDeletedError(session_id, in_removal=True)
            session = self._state.sessions.get(session_id)
            if session is not None:
                self._mark(session, None)

    def _mark(self, session: Session, deleted_at: datetime | None) -> None:
        self._state.put(self._state.sessions, session.id, msgspec.structs.replace(session, deleted_at=deleted_at))

    def mark_removals(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._state.transaction():
            for session_id in session_ids:
                self._state.put(self._state.removing, session_id, at)

    def remove_marked(self, limit: int) -> Removal:
        state = self._state
        with state.transaction():
            return remove_marked(state, sorted(state.removing), limit)

    def remove_events(self, events: Sequence[EventMark]) -> int:
        with self._state.transaction():
            stored = [self._state.logs.get(mark.session_id, {}).get(mark.sequence_number) for mark in events]
            return drop_events(self._state, [event for event in stored if event is not None])

    def remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        with self._state.transaction():
            for artifact_id in artifact_ids:
                self._state.drop(self._state.artifacts, artifact_id)

    def count_expired_records(self, at: datetime) -> int:
        with self._state.lock:
            return len(self._expired(at))

    def remove_expired_records(self, at: datetime, limit: int) -> int:
        with self._state.transaction():
            expired = self._expired(at)[:limit]
            for place in expired:
                self._state.drop(self._state.records, place)
        return len(expired)

    def remove_records(self, prefix: str, limit: int) -> int:
        with self._state.transaction():
            found = [place for place in self._state.records if place[0].startswith(prefix)][:limit]
            for place in found:
                self._state.drop(self._state.records, place)
        return len(found)

    def check_integrity(self) -> list[str]:
        with self._state.lock:
            return find_faults(list(self._state.events.values()), self._state.runs, self._state.counters)

    def _expired(self, at: datetime) -> list[tuple[str, str]]:
        return [place for place, record in self._state.records.items() if record.has_expired(at)]

    def _active_at(self, session: Session) -> datetime:
        log = self._state.logs.get(session.id)
        return log[max(log)].timestamp if log else session.created_at

    def _found_sessions(
        self, query: ExpiredSessions | DeletedSessions | OversizedSessions, passes: Callable[[Session], bool]
    ) -> Found:
        with self._state.lock:
            ids = (
                session.id
                for session in self._state.sessions.values()
                if session.id not in self._state.removing and not is_exempt(session, query.exempt) and passes(session)
            )
            return found(ids, query)

    def _events(self, session_id: str | None) -> Collection[Event]:
        return (self._state.events if session_id is None else self._state.logs.get(session_id, {})).values()
