"""Copies of sessions from another session service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asm_core as asm
from google_adk_asm import reading, runs, shared
from google_adk_asm.events import events_of
from google_adk_asm.heads import Head
from google_adk_asm.keys import Key
from google_adk_asm.writing import changed, following, new_session

if TYPE_CHECKING:
    from google.adk.events import Event as AdkEvent
    from google.adk.sessions import BaseSessionService
    from google.adk.sessions import Session as AdkSession

    from asm_core.ports import Ports
    from google_adk_asm.service import AsmSessionService
    from google_adk_asm.shared import Deltas


async def copy_sessions(source: BaseSessionService, target: AsmSessionService, *, app_name: str) -> int:
    """Copy the sessions of an app from any session service; return the number of those that were copied.

    Events keep their ids, order and times, and states their values. A session is copied whole or not at all. Sessions
    and keys of shared state that `target` has are kept as they are, so the call can be repeated.

    Args:
        source: the service to read, such as `DatabaseSessionService`.
        target: the service to write.
        app_name: the app; call it once for each.
    """
    copied = 0
    for listed in (await source.list_sessions(app_name=app_name)).sessions:
        session = await source.get_session(app_name=app_name, user_id=listed.user_id, session_id=listed.id)
        if session is not None:
            copied += await target.aio.run(_copy, target.aio.sync, session, target.provider)
    return copied


def _copy(backend: asm.Backend, session: AdkSession, provider: str) -> bool:
    """Store a session with its events, or nothing; return False if it exists."""
    key = Key(session.app_name, session.user_id, session.id)
    deltas = shared.split(session.state)
    try:
        with backend.transaction() as ports:
            if reading.exists(ports, key):
                return False
            _save(ports, session, Head(key, deltas.session, session.last_update_time), provider)
            shared.save(ports, key.app_name, key.user_id, *_missing(ports, key, deltas))
    except asm.RevisionConflictError:
        return False
    return True


def _save(ports: Ports, session: AdkSession, head: Head, provider: str) -> None:
    key, store = head.key, ports.session_store
    times = [event.timestamp for event in session.events]
    new = new_session(head, min([session.last_update_time, *times]))
    stored = store.save_session(new, expected_revision=0)
    if not session.events:
        return
    batch = [stored_event for event in session.events for stored_event in events_of(key, event)]
    last = following(head, session.events[-1], store.append_events(batch)[-1], {})
    last = last._replace(last_update_time=session.last_update_time)
    store.save_session(changed(stored, last, *session.events))
    by_run: dict[str, list[AdkEvent]] = {}
    for event in session.events:
        if run_id := key.run_id(event.invocation_id):
            by_run.setdefault(run_id, []).append(event)
    for run_id, events in by_run.items():
        runs.save_run(store, new.id, run_id, events, provider)


def _missing(ports: Ports, key: Key, deltas: Deltas) -> tuple[shared.State, shared.State]:
    """Return the shared state whose keys have no value yet."""
    app = shared.load_app(ports, key.app_name)
    user = shared.load_user(ports, key.app_name, key.user_id)
    return (
        {name: value for name, value in deltas.app.items() if name not in app},
        {name: value for name, value in deltas.user.items() if name not in user},
    )
