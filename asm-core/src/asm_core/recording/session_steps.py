"""The steps of a session: each stores a change of its status together with the event of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asm_core.errors import AlreadyExistsError, InvalidTransitionError, RevisionConflictError
from asm_core.models import Event, EventType, SessionStatus
from asm_core.models.statuses import TERMINAL_SESSION_STATUSES
from asm_core.ports import ExecutionResult
from asm_core.recording.lifecycle.claims import ATTEMPTS, end_id

if TYPE_CHECKING:
    from asm_core.models import Session
    from asm_core.ports import SessionStore
    from asm_core.redaction.recorded import Redaction
    from asm_core.values.payloads import Payload


def session_event(kind: EventType, session: Session) -> Event:
    """Return a new event of a session, without data."""
    return Event.new(type=kind, session_id=session.id)


class SessionSteps:
    """Stores new sessions and changes of their status, with their events, without secrets."""

    def __init__(self, session_store: SessionStore, redaction: Redaction) -> None:
        self._store = session_store
        self._redaction = redaction

    def start(self, session: Session) -> Session:
        """Store a new session with the event session_created; return it as it is stored."""
        session = self._redaction.session(session)
        created = [session_event(EventType.SESSION_CREATED, session)]
        self._store.flush(ExecutionResult(session, None, created, expected_session_revision=0))
        return msgspec.structs.replace(session, revision=1)

    def step(self, session_id: str, status: SessionStatus, kind: EventType, data: Payload | None = None) -> Session:
        """Change the status of a session, and return it as it is stored. A paused session that starts is resumed.

        Raises:
            SessionNotFoundError: there is no such session.
            InvalidTransitionError: its status does not allow this, or another process ended it meanwhile.
        """
        for attempt in range(ATTEMPTS):
            session = self._store.get_session(session_id)
            if kind is EventType.SESSION_STARTED and session.status is SessionStatus.PAUSED:
                kind = EventType.SESSION_RESUMED
            stepped = session.with_status(status)
            ends = end_id(session) if status in TERMINAL_SESSION_STATUSES else None
            event = Event.new(id=ends, type=kind, session_id=session.id, data=data)
            events = [self._redaction.event(event)]
            try:
                self._store.flush(ExecutionResult(stepped, None, events, expected_session_revision=session.revision))
            except AlreadyExistsError as error:
                raise InvalidTransitionError(f"Session {session.id} was ended by another process meanwhile.") from error
            except RevisionConflictError:  # another process changed it meanwhile
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return msgspec.structs.replace(stepped, revision=session.revision + 1)
        raise AssertionError  # the last attempt returns or raises
