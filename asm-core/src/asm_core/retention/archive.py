"""What is copied to another store before it is pruned or removed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.errors import AsmError, MaintenanceError, ValidationError
from asm_core.models import Session
from asm_core.querying.queries import EventQuery, RunQuery
from asm_core.retention.stretches import pages_of_events, stretches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from asm_core.models import Event, Run
    from asm_core.ports.maintenance import Maintenance
    from asm_core.ports.session_store import SessionStore
    from asm_core.retention.questions import EventMark

    State = tuple[Session, int]

_PAGE: Final = 200


class Archive:
    """Copies sessions, runs and events to a store, a page at a time and outside any batch."""

    def __init__(self, port: Maintenance, store: SessionStore) -> None:
        """Copy to `store`.

        Raises:
            ValidationError: it is the store that is maintained.
        """
        self._port = port
        self._store = store
        self._begun: set[str] = set()
        self._refuse_itself()

    def add_whole(self, session_ids: Collection[str]) -> dict[str, State]:
        """Copy sessions with all that belongs to them; return the state of each before that."""
        states = {}
        for session_id in session_ids:
            state = self.state_of(session_id)
            if state is None:
                continue
            self._begun.discard(session_id)
            self._add(session_id, [])
            for stretch in stretches(self._port, session_id):
                for events in pages_of_events(self._port, session_id, stretch):
                    self._add(session_id, events)
            states[session_id] = state
        return states

    def add_events(self, marks: Collection[EventMark]) -> None:
        """Copy events, with their sessions and the runs of these."""
        by_session: dict[str, list[Event]] = {}
        for event in self._port._find_events(EventQuery(ids=tuple(mark.id for mark in marks))):
            by_session.setdefault(event.session_id, []).append(event)
        for session_id, events in by_session.items():
            self._add(session_id, events)

    def state_of(self, session_id: str) -> State | None:
        """Return the session and the last number given out in it; None if it does not exist."""
        session = self._port._load_session(session_id)
        head = self._port._load_heads([session_id]).get(session_id)
        return None if session is None or head is None else (session, head.last_sequence)

    def _add(self, session_id: str, events: list[Event]) -> None:
        state = self.state_of(session_id)
        if state is None:
            return
        session, last_sequence = state
        try:
            if session_id not in self._begun:
                # What an earlier pass archived of session and runs has changed since; their last state counts.
                self._store.restore_session(session, replace=True)
                for runs in self._pages_of_runs(session_id):
                    self._store.restore_session(session, runs, replace=True)
                self._begun.add(session_id)
            self._store.restore_session(session, events=events, last_sequence=last_sequence)
        except AsmError as error:
            if error.retryable:
                raise
            message = f"Session {session_id} cannot be archived, so nothing of it was removed: {error.message}"
            raise MaintenanceError(message, details={"session_id": session_id}) from error

    def _pages_of_runs(self, session_id: str) -> Iterator[list[Run]]:
        query = RunQuery(session_ids=(session_id,), limit=_PAGE)
        while runs := self._port._find_runs(query):
            yield runs
            query = msgspec.structs.replace(query, start=query.order.key_of(runs[-1]))

    def _refuse_itself(self) -> None:
        # What is archived onto itself would be gone with what is removed. Only a write shows what a handle stands on.
        probe = Session.new(agent_id="asm: is this archive another store?")
        self._store.save_session(probe)
        try:
            same = self._port._load_session(probe.id) is not None
        finally:
            self._store.delete_session(probe.id)
        if same:
            message = "The archive_store is the store itself; archive to another one."
            raise ValidationError(message)
