"""The state that sessions share: a record for each key, in a namespace of the app or of its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.adk.sessions import State as AdkState

import asm_core as asm
from asm_core.integrating import composed_id, restore_payload
from asm_core.querying.pages import all_items
from google_adk_asm.keys import KIND, name_of
from google_adk_asm.values import storable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core.ports import Ports

_PAGE: Final = 500
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
    return _load(ports, _of_app(app_name))


def load_user(ports: Ports, app_name: str, user_id: str) -> State:
    """Return the state of a user of an app, by its keys without prefix."""
    return _load(ports, _of_user(app_name, user_id))


def save(ports: Ports, app_name: str, user_id: str, app: State, user: State) -> None:
    """Store values of keys; other keys stay."""
    records = {(_of_app(app_name), composed_id("app", key)): [key, value] for key, value in app.items()}
    of_user = _of_user(app_name, user_id)
    records |= {(of_user, composed_id("user", key)): [key, value] for key, value in user.items()}
    # In one order everywhere, so that no two transactions wait for each other.
    for (namespace, name), record in sorted(records.items()):
        ports.state_store.put(namespace, name, storable(record))


def delete_user(ports: Ports, app_name: str, user_id: str) -> None:
    """Remove the state of a user. If there is none, this is a no-op."""
    ports.state_store.delete_all(_of_user(app_name, user_id))


def merged(session: Mapping[str, Any], app: State, user: State) -> State:
    """Return what an agent sees: the state of a session with that of its app and its user."""
    return {
        **session,
        **{_APP + key: value for key, value in app.items()},
        **{_USER + key: value for key, value in user.items()},
    }


def _of_app(app_name: str) -> str:
    return composed_id(KIND, app_name)


def _of_user(app_name: str, user_id: str) -> str:
    return asm.user_namespace(name_of(user_id), KIND, app_name)


def _load(ports: Ports, namespace: str) -> State:
    records = all_items(ports.state_store.list, namespace=namespace, limit=_PAGE)
    return dict(restore_payload(record.value) for record in records)
