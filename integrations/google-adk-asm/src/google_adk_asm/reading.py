"""Reads of the framework's sessions from a backend. Its calls block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.adk.sessions import Session as AdkSession

import asm_core as asm
from google_adk_asm import shared
from google_adk_asm.events import adk_event_of
from google_adk_asm.heads import Head, head_of, marker_of
from google_adk_asm.keys import name_of
from google_adk_asm.values import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.adk.events import Event as AdkEvent
    from google.adk.sessions.base_session_service import GetSessionConfig

    from asm_core.ports import Ports
    from google_adk_asm.keys import Key
    from google_adk_asm.shared import State

_PAGE: Final = 500


def find(ports: Ports, key: Key) -> asm.Session | None:
    """Return the session of the store, or None."""
    try:
        session = ports.session_store.get_session(key.stored_id)
    except asm.SessionNotFoundError:
        return None
    return None if head_of(session) is None else session


def exists(ports: Ports, key: Key) -> bool:
    """Return whether the id of a session is in use, also by one that is soft-deleted."""
    try:
        return ports.session_store.get_session(key.stored_id) is not None
    except asm.SessionNotFoundError:
        return False


def resolved(ports: Ports, key: Key) -> Key:
    """Return the key of the session that an id with spaces around it means.

    Such an id is stripped, except for sessions that were copied from a store that keeps it.
    """
    stripped = key._replace(session_id=key.session_id.strip())
    return key if stripped == key or find(ports, key) is not None else stripped


def get(ports: Ports, key: Key, config: GetSessionConfig | None) -> AdkSession | None:
    """Return a session with its events, or None."""
    session = find(ports, resolved(ports, key))
    if session is None or (head := head_of(session)) is None:
        return None
    # The state of a session and the number of its last event are in one row: together they are never torn.
    return adk_session(session, head, whole_state(ports, head), _events(ports.session_store, session.id, head, config))


def find_all(ports: Ports, app_name: str, user_id: str | None) -> list[AdkSession]:
    """Return the sessions of an app, of one user or of all, without events, by their last update."""
    sessions = list(_found(ports, app_name, user_id))
    app = shared.load_app(ports, app_name)
    users = {name: shared.load_user(ports, app_name, name) for name in {head.key.user_id for _, head in sessions}}
    found = [
        adk_session(session, head, shared.merged(head.state, app, users[head.key.user_id]))
        for session, head in sessions
    ]
    return sorted(found, key=lambda session: (session.last_update_time, session.user_id, session.id))


def whole_state(ports: Ports, head: Head) -> State:
    """Return what an agent sees: the state of a session with that of its app and its user."""
    app_name, user_id, _ = head.key
    return shared.merged(head.state, shared.load_app(ports, app_name), shared.load_user(ports, app_name, user_id))


def adk_session(session: asm.Session, head: Head, state: State, events: Sequence[AdkEvent] = ()) -> AdkSession:
    """Return the framework's session."""
    made = AdkSession(
        app_name=head.key.app_name,
        user_id=head.key.user_id,
        id=head.key.session_id,
        state=state,
        events=list(events),
        last_update_time=head.last_update_time,
    )
    made._storage_update_marker = marker_of(session, head)  # noqa: SLF001  where the framework's services have it
    return made


def _found(ports: Ports, app_name: str, user_id: str | None) -> Iterator[tuple[asm.Session, Head]]:
    cursor: str | None = None
    while True:
        page = ports.query_api.search_sessions(
            agent_id=name_of(app_name),
            user_id=None if user_id is None else name_of(user_id),
            order_by="created_at_asc",
            limit=_PAGE,
            cursor=cursor,
        )
        for session in page.items:
            head = head_of(session)
            if head is not None and head.key.app_name == app_name and user_id in {None, head.key.user_id}:
                yield session, head
        cursor = page.cursor
        if cursor is None:
            return


def _events(store: asm.SessionStore, session_id: str, head: Head, config: GetSessionConfig | None) -> list[AdkEvent]:
    most = config.num_recent_events if config else None
    earliest = config.after_timestamp if config else None
    if most == 0 or head.sequence == 0:
        return []
    since = None if earliest is None else time_of(earliest)
    before = head.sequence + 1
    if most is None:
        return _of_adk(store.get_events(session_id, since=since, before=before), earliest)
    found: list[AdkEvent] = []
    while len(found) < most:
        page = store.get_events(session_id, since=since, before=before, limit=most, order="desc")
        found += _of_adk(page, earliest)
        if len(page) < most:
            break
        before = page[-1].sequence_number
    return found[:most][::-1]


def _of_adk(events: Sequence[asm.Event], earliest: float | None) -> list[AdkEvent]:
    found = (event for stored in events if (event := adk_event_of(stored)) is not None)
    return [event for event in found if earliest is None or event.timestamp >= earliest]
