"""The archive: copies of data in another store, made before pruning or removal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from asm_core.errors import AsmError, MaintenanceError, ValidationError
from asm_core.models import Session
from asm_core.querying.pages import pages
from asm_core.querying.queries import EventQuery, RunQuery
from asm_core.retention.stretches import pages_of_events, stretches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asm_core.models import Event, Run
    from asm_core.retention.questions import EventMark
    from asm_core.retention.store import RetentionStore

    State = tuple[Session, int]

_PAGE: Final = 200


class ArchiveStore(Protocol):
    """The methods of a session store that the archive uses; every `SessionStore` has them."""

    def save_session(self, session: Session, /) -> Session:
        """Store a session."""

    def delete_session(self, session_id: str, /) -> None:
        """Remove a session."""

    def restore_session(
        self,
        session: Session,
        runs: Iterable[Run] = (),
        events: Iterable[Event] = (),
        *,
        last_sequence: int = 0,
        replace: bool = False,
    ) -> int:
        """Store an exact copy of a session, or of a part of it."""


class Archive:
    """Copies sessions, runs and events to a store, page by page, outside of batches."""

    def __init__(self, store: RetentionStore, archive: ArchiveStore) -> None:
        """Copy from `store` to `archive`.

        Raises:
            ValidationError: the archive is the maintained store itself.
        """
        self._store = store
        self._archive = archive
        self._begun: set[str] = set()
        self._refuse_itself()

    def add_whole(self, session_ids: Collection[str]) -> dict[str, State]:
        """Copy sessions with all their records; return the state of each before the copy."""
        states = {}
        for session_id in session_ids:
            state = self.state_of(session_id)
            if state is None:
                continue
            self._begun.discard(session_id)
            self._add(session_id, [])
            for stretch in stretches(self._store, session_id):
                for events in pages_of_events(self._store, session_id, stretch):
                    self._add(session_id, events)
            states[session_id] = state
        return states

    def add_events(self, marks: Collection[EventMark]) -> None:
        """Copy events, with their sessions and the runs of these."""
        by_session: dict[str, list[Event]] = {}
        wanted = {(mark.session_id, mark.id) for mark in marks}
        sessions = tuple({session_id for session_id, _ in wanted})
        for event in self._store.find_events(EventQuery(ids=tuple({id_ for _, id_ in wanted}), session_ids=sessions)):
            if (event.session_id, event.id) in wanted:
                by_session.setdefault(event.session_id, []).append(event)
        for session_id, events in by_session.items():
            self._add(session_id, events)

    def state_of(self, session_id: str) -> State | None:
        """Return the session and its last sequence number; None if it does not exist."""
        session = self._store.load_session(session_id)
        head = self._store.load_heads([session_id]).get(session_id)
        return None if session is None or head is None else (session, head.last_sequence)

    def _add(self, session_id: str, events: Sequence[Event]) -> None:
        state = self.state_of(session_id)
        if state is None:
            return
        session, last_sequence = state
        try:
            if session_id not in self._begun:
                # Session and runs may have changed since an earlier pass archived them: replace them.
                self._archive.restore_session(session, replace=True)
                for runs in pages(self._store.find_runs, RunQuery(session_ids=(session_id,), limit=_PAGE)):
                    self._archive.restore_session(session, runs, replace=True)
                self._begun.add(session_id)
            self._archive.restore_session(session, events=events, last_sequence=last_sequence)
        except AsmError as error:
            if error.retryable:
                raise
            message = f"Session {session_id} cannot be archived, so it was not removed: {error.message}"
            raise MaintenanceError(message, details={"session_id": session_id}) from error

    def _refuse_itself(self) -> None:
        # Data that is archived into the store itself would be removed too. Only a write shows whether both are one
        # store.
        probe = Session.new(agent_id="asm: is this archive another store?")
        self._archive.save_session(probe)
        try:
            same = self._store.load_session(probe.id) is not None
        finally:
            self._archive.delete_session(probe.id)
        if same:
            message = "The archive_store is the store itself. Archive to another one."
            raise ValidationError(message)
