"""Writes of the framework's sessions to a backend. Its calls block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError

import asm_core as asm
from google_adk_asm import reading, runs, shared
from google_adk_asm.events import text_of
from google_adk_asm.heads import Head, head_of, marker_of, title_of
from google_adk_asm.keys import KIND, Key, name_of
from google_adk_asm.values import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.adk.events import Event as AdkEvent
    from google.adk.sessions import Session as AdkSession

    from asm_core.ports import Ports
    from google_adk_asm.shared import Deltas, State

_STALE: Final = (
    "The session has been modified in storage since it was loaded. Please reload the session before appending more "
    "events."
)
_ALREADY: Final = "Session with id {} already exists."


class Seen(NamedTuple):
    """What the caller of an append has of the session."""

    key: Key
    marker: str | None
    last_update_time: float
    last_event: str | None


class Appended(NamedTuple):
    """What an append has stored."""

    marker: str
    last_update_time: float


class Writer:
    """The sessions of the framework: each is a session of the store, and its events are in the log."""

    def __init__(self, backend: asm.Backend, provider: str) -> None:
        """Store in `backend`; runs are those of `provider`."""
        self._backend = backend
        self._provider = provider

    def create(self, key: Key, deltas: Deltas, now: float) -> AdkSession:
        """Create a session, and change the state of its app and user, in one transaction.

        Raises:
            AlreadyExistsError: it exists, or is soft-deleted.
        """
        head = Head(key, deltas.session, now)
        try:
            with self._backend.transaction() as ports:
                session = ports.session_store.save_session(new_session(head), expected_revision=0)
                shared.save(ports, key.app_name, key.user_id, deltas.app, deltas.user)
        except asm.RevisionConflictError as error:
            raise AlreadyExistsError(_ALREADY.format(key.session_id)) from error
        return reading.adk_session(session, head, reading.whole_state(self._backend, head))

    def append(self, seen: Seen, event: AdkEvent, batch: Sequence[asm.Event], deltas: Deltas) -> Appended | None:
        """Append an event, and change the states, in one transaction; return None if the event is stored already.

        Raises:
            SessionNotFoundError: the session does not exist.
            StaleSessionError: events were appended that the caller has not seen.
            AlreadyExistsError: another event has the id.
        """
        try:
            with self._backend.transaction() as ports:
                return self._append(ports, seen, event, batch, deltas)
        except _RepeatedError:
            return None
        except (asm.SessionNotFoundError, asm.SessionDeletedError) as error:
            message = f"Session {seen.key.session_id} not found."
            raise SessionNotFoundError(message) from error
        except asm.AlreadyExistsError as error:
            message = f"Another event with id {event.id} already exists in session {seen.key.session_id}."
            raise AlreadyExistsError(message) from error

    def _append(
        self, ports: Ports, seen: Seen, event: AdkEvent, batch: Sequence[asm.Event], deltas: Deltas
    ) -> Appended:
        store = ports.session_store
        # The append locks the log: no other one of this session follows before the commit.
        last = store.append_events(batch)[-1]
        heads: list[Head] = []

        def change(session: asm.Session) -> asm.Session:
            head = head_of(session)
            if head is None:
                raise asm.SessionNotFoundError(session.id)
            if last.sequence_number <= head.sequence:
                raise _RepeatedError if last.metadata == batch[-1].metadata else asm.AlreadyExistsError(last.id)
            if not _has_seen(seen, session, head):
                raise StaleSessionError(_STALE)
            heads[:] = [head, following(head, event, last, deltas.session)]
            return changed(session, heads[1], event)

        session = store.update_session(batch[0].session_id, change)
        run_id = batch[-1].run_id
        if run_id is not None and (run_id != heads[0].last_run or runs.changes_run(event)):
            runs.save_run(store, session.id, run_id, [event], self._provider)
        shared.save(ports, seen.key.app_name, seen.key.user_id, deltas.app, deltas.user)
        return Appended(marker_of(session, heads[1]), event.timestamp)

    def delete(self, key: Key) -> None:
        """Delete a session with its events; if it does not exist, this is a no-op."""
        self._backend.session_store.delete_session(reading.resolved(self._backend, key).stored_id)


class _RepeatedError(Exception):
    """The event is stored already: the reply to an earlier call was lost."""


def new_session(head: Head, created_at: float | None = None) -> asm.Session:
    """Return the session to store for one of the framework."""
    return asm.Session.new(
        id=head.key.stored_id,
        agent_id=name_of(head.key.app_name),
        user_id=name_of(head.key.user_id),
        status=asm.SessionStatus.ACTIVE,
        tags=[KIND],
        metadata=head.metadata(),
        created_at=None if created_at is None else time_of(created_at),
    )


def _has_seen(seen: Seen, session: asm.Session, head: Head) -> bool:
    """Return whether the caller has the session as it is stored, as the framework's own database service decides it."""
    if seen.marker is not None:
        return seen.marker == marker_of(session, head)
    return head.last_update_time <= seen.last_update_time or seen.last_event == head.last_event


def following(head: Head, event: AdkEvent, stored: asm.StoredEvent, delta: State) -> Head:
    """Return the head after an event, of which `stored` is the last in the store."""
    return head._replace(
        state={**head.state, **delta},
        last_update_time=event.timestamp,
        sequence=stored.sequence_number,
        last_event=event.id,
        last_run=stored.run_id,
    )


def changed(session: asm.Session, head: Head, *events: AdkEvent) -> asm.Session:
    """Return a session with another head, and with a title, if one of the new events has any."""
    changed = session.with_metadata(head.metadata())
    if session.title is not None:
        return changed
    texts = (text_of(event) for event in events if event.author == "user")
    return changed.with_title(next((title for text in texts if (title := title_of(text))), None))
