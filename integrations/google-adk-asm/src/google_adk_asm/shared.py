"""The state that sessions share: a session of the store for each app, and for each user of an app, has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.adk.sessions import State as AdkState

import asm_core as asm
from asm_core.integrating import composed_id, restore_payload
from google_adk_asm.keys import KIND, name_of
from google_adk_asm.values import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asm_core.ports import Ports

_PAGE: Final = 500
_KIND: Final = f"{KIND}.state"
_TITLE: Final = "Shared state"
_APP: Final = AdkState.APP_PREFIX
_USER: Final = AdkState.USER_PREFIX

State = dict[str, Any]


class Deltas(NamedTuple):
    """Changes of state: of the app and of the user, by their keys without prefix, and of the session."""

    app: State
    user: State
    session: State


def split(state: dict[str, Any]) -> Deltas:
    """Return the parts of a state by their scopes, without that of an invocation."""
    deltas = Deltas({}, {}, {})
    for key, value in state.items():
        if key.startswith(AdkState.APP_PREFIX):
            deltas.app[key.removeprefix(AdkState.APP_PREFIX)] = value
        elif key.startswith(AdkState.USER_PREFIX):
            deltas.user[key.removeprefix(AdkState.USER_PREFIX)] = value
        elif not key.startswith(AdkState.TEMP_PREFIX):
            deltas.session[key] = value
    return deltas


def load_app(ports: Ports, app_name: str) -> State:
    """Return the state of an app, by its keys without prefix."""
    return _load(ports, _session_id(app_name))


def load_user(ports: Ports, app_name: str, user_id: str) -> State:
    """Return the state of a user of an app, by its keys without prefix."""
    return _load(ports, _session_id(app_name, user_id))


def load_users(ports: Ports, app_name: str) -> dict[str, State]:
    """Return the states of all users of an app that have any."""
    states: dict[str, State] = {}
    cursor: str | None = None
    while True:
        page = ports.query_api.search_sessions(
            agent_id=name_of(app_name), tags=_KIND, order_by="created_at_asc", limit=_PAGE, cursor=cursor
        )
        for session in page.items:
            names, state = restore_payload(session.metadata[_KIND])
            if session.id == _session_id(*names) and names[1:]:
                states[names[1]] = state
        cursor = page.cursor
        if cursor is None:
            return states


def save(ports: Ports, app_name: str, user_id: str, app: State, user: State) -> None:
    """Store values of keys; other keys stay."""
    # In one order everywhere, so that no two transactions wait for each other.
    for names, delta in (((app_name,), app), ((app_name, user_id), user)):
        if delta:
            _save(ports.session_store, names, delta)


def delete_user(ports: Ports, app_name: str, user_id: str) -> None:
    """Remove the state of a user. If there is none, this is a no-op."""
    ports.session_store.delete_session(_session_id(app_name, user_id))


def merged(session: Mapping[str, Any], app: State, user: State) -> State:
    """Return what an agent sees: the state of a session with that of its app and its user."""
    return {
        **session,
        **{_APP + key: value for key, value in app.items()},
        **{_USER + key: value for key, value in user.items()},
    }


def _session_id(*names: str) -> str:
    return composed_id(_KIND, *names)


def _load(ports: Ports, session_id: str) -> State:
    try:
        return _state(ports.session_store.get_session(session_id))
    except asm.SessionNotFoundError:
        return {}


def _state(session: asm.Session) -> State:
    state: State = restore_payload(session.metadata[_KIND])[1]
    return state if session.deleted_at is None else {}


def _save(store: asm.SessionStore, names: Sequence[str], delta: State) -> None:
    def change(session: asm.Session) -> asm.Session:
        return session.with_metadata({_KIND: storable([names, {**_state(session), **delta}])})

    session_id = _session_id(*names)
    try:
        changed = store.update_session(session_id, change)
    except asm.SessionNotFoundError:
        _create(store, names, delta)
        return
    if changed.deleted_at is not None:
        store.delete_session(session_id)
        _create(store, names, delta)


def _create(store: asm.SessionStore, names: Sequence[str], delta: State) -> None:
    new = asm.Session.new(
        id=_session_id(*names),
        agent_id=name_of(names[0]),
        user_id=name_of(names[1]) if names[1:] else None,
        title=_TITLE,
        status=asm.SessionStatus.ACTIVE,
        tags=[_KIND, "pinned"],  # retention exempts what is pinned
        metadata={_KIND: storable([names, delta])},
    )
    try:
        store.save_session(new, expected_revision=0)
    except asm.RevisionConflictError:  # created meanwhile
        _save(store, names, delta)
