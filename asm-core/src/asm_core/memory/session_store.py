"""The session store of the in-memory backend."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import msgspec

from asm_core.errors import SessionDeletedError, SessionNotFoundError
from asm_core.event_log.idempotency import (
    ensure_idempotent,
    next_revision,
    number_taken,
    run_taken,
    split_repeats,
    with_revision,
)
from asm_core.memory.reader import MemoryReader
from asm_core.memory.removing import drop_events, remove_marked
from asm_core.models.base import MAX_INTEGER
from asm_core.ports import SessionStore
from asm_core.values.times import second_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.event_log.updating import Expected
    from asm_core.memory.state import State
    from asm_core.models import Event, Run, Session, StoredEvent
    from asm_core.values.payloads import Payload


class MemorySessionStore(SessionStore):
    """The session store in memory."""

    def __init__(
        self, state: State, reader: MemoryReader | None = None, *, watching: SessionStore | None = None
    ) -> None:
        """Write to `state`; see `SessionStore` for `watching`."""
        super().__init__(reader or MemoryReader(state), watching)
        self._state = state

    def _save_session(self, session: Session, expected: int | None) -> Session:
        with self._state.transaction():
            self._refuse_removal(session.id)
            stored = self._state.sessions.get(session.id)
            revision = next_revision(stored, session, expected)
            deleted_at = None if stored is None else stored.deleted_at
            saved = msgspec.structs.replace(session, deleted_at=deleted_at, revision=revision)
            self._put_session(saved)
            return saved

    def _put_session(self, session: Session) -> None:
        with self._state.transaction():
            self._refuse_removal(session.id)
            self._state.put(self._state.sessions, session.id, session.checked())
            if session.id not in self._state.log_ids:
                self._state.put(self._state.counters, session.id, self._state.counters.get(session.id, 0))
                self._state.put(self._state.log_ids, session.id, token_hex(16))
                self._state.put(self._state.activity, session.id, second_of(session.created_at))

    def _save_run(self, run: Run, expected: int | None) -> Run:
        with self._state.transaction():
            self._require_session(run.session_id)
            stored = self._state.runs.get(run.id)
            saved = msgspec.structs.replace(run, revision=next_revision(stored, run, expected))
            self._state.put(self._state.runs, run.id, saved.checked())
            return saved

    def _delete_session(self, session_id: str) -> None:
        with self._state.transaction():
            if session_id in self._state.sessions:
                remove_marked(self._state, [session_id], MAX_INTEGER)

    def _append(self, events: list[Event]) -> list[StoredEvent]:
        with self._state.transaction():
            split_repeats(events)
            for session_id in sorted({event.session_id for event in events}):
                self._require_session(session_id)
            return [self._append_one(event) for event in events]

    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[StoredEvent]:
        with self._state.transaction():
            if self._save_session(session, expected.session).deleted_at is not None:
                raise SessionDeletedError(session.id)
            if run is not None:
                self._save_run(run, expected.run)
            return self._append(events)

    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        with self._state.transaction():
            self._refuse_removal(session.id)
            if replace or session.id not in self._state.sessions:
                self._put_session(with_revision(session))
            for run in runs:
                self._restore_run(run, replace=replace)
            count = sum(self._restore_one(event) for event in events)
            last = max(last_sequence, self._state.counters.get(session.id, 0))
            self._state.put(self._state.counters, session.id, last)
            return count

    def _remove_events(self, events: Sequence[Event]) -> int:
        with self._state.transaction():
            stored = [self._state.logs.get(one.session_id, {}).get(one.sequence_number or 0) for one in events]
            return drop_events(self._state, [event for event in stored if event is not None])

    def _redact_events(self, session_id: str, ids: Sequence[str], data: Payload, metadata: Payload) -> int:
        with self._state.transaction():
            stored = [event for one in ids if (event := self._state.events.get(one)) is not None]
            own = [event for event in stored if event.session_id == session_id]
            for event in own:
                self._store(msgspec.structs.replace(event, data=data, metadata=metadata))
            return len(own)

    def _commit_token(self) -> object:
        return self._state.commits

    def _append_one(self, event: Event) -> StoredEvent:
        stored = self._state.events.get(event.id)
        if stored is not None:
            return ensure_idempotent(stored, event).checked()
        number = self._state.counters.get(event.session_id, 0) + 1
        self._state.put(self._state.counters, event.session_id, number)
        self._store(event.numbered(number))
        return event.numbered(number)

    def _restore_run(self, run: Run, *, replace: bool) -> None:
        stored = self._state.runs.get(run.id)
        if stored is not None and stored.session_id != run.session_id:
            raise run_taken(stored.session_id, run)
        if replace or stored is None:
            self._state.put(self._state.runs, run.id, with_revision(run).checked())

    def _restore_one(self, event: Event) -> bool:
        stored = self._state.events.get(event.id)
        if stored is not None and stored.sequence_number == event.sequence_number:
            ensure_idempotent(stored, event)
            return False
        if stored is not None or event.sequence_number in self._state.logs.get(event.session_id, {}):
            raise number_taken(event)
        self._store(event)
        return True

    def _store(self, event: Event) -> None:
        event = event.checked()
        if event.session_id not in self._state.logs:
            self._state.put(self._state.logs, event.session_id, {})
        self._state.put(self._state.logs[event.session_id], event.sequence_number, event)
        self._state.put(self._state.events, event.id, event)
        latest = max(self._state.activity[event.session_id], second_of(event.timestamp))
        self._state.put(self._state.activity, event.session_id, latest)

    def _require_session(self, session_id: str) -> None:
        session = self._state.sessions.get(session_id)
        if session is None:
            raise SessionNotFoundError(session_id)
        self._refuse_removal(session_id)
        if session.deleted_at is not None:
            raise SessionDeletedError(session_id)

    def _refuse_removal(self, session_id: str) -> None:
        if session_id in self._state.removing:
            raise SessionDeletedError(session_id, in_removal=True)
