"""The state that sessions share: a record for each key, under the app's namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.adk.sessions import State as AdkState

from asm_core.integrating import composed_id, restore_payload
from google_adk_asm.keys import KIND, part_of
from google_adk_asm.values import storable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    return {key: value for _, key, value in _records(ports, app_name, _APP)}


def load_user(ports: Ports, app_name: str, user_id: str) -> State:
    """Return the state of a user of an app, by its keys without prefix."""
    return {key: value for _, key, value in _records(ports, app_name, _of_user(user_id))}


def load_users(ports: Ports, app_name: str) -> dict[str, State]:
    """Return the states of all users of an app that have any."""
    states: dict[str, State] = {}
    for user_id, key, value in _records(ports, app_name, _USER):
        states.setdefault(user_id, {})[key] = value
    return states


def save(ports: Ports, app_name: str, user_id: str, app: State, user: State) -> None:
    """Store values of keys; other keys stay."""
    app_keys = {_APP + part_of(key): (key, value) for key, value in app.items()}
    user_keys = {_of_user(user_id) + part_of(key): (key, value) for key, value in user.items()}
    # In one order everywhere, so that transactions that change the same keys do not wait for each other.
    for name, (key, value) in sorted((app_keys | user_keys).items(), key=lambda item: item[0]):
        record = {"key": storable(key), "value": storable(value)}
        if name in user_keys:
            record["user_id"] = storable(user_id)
        ports.state_store.put(_namespace(app_name), name, record)


def delete_user(ports: Ports, app_name: str, user_id: str) -> int:
    """Remove the state of a user; return the number of keys."""
    return ports.state_store.delete_all(_namespace(app_name), prefix=_of_user(user_id))


def merged(session: Mapping[str, Any], app: State, user: State) -> State:
    """Return what an agent sees: the state of a session with that of its app and its user."""
    return {
        **session,
        **{_APP + key: value for key, value in app.items()},
        **{_USER + key: value for key, value in user.items()},
    }


def _namespace(app_name: str) -> str:
    return composed_id(KIND, app_name)


def _of_user(user_id: str) -> str:
    return f"{_USER}{part_of(user_id)}:"


def _records(ports: Ports, app_name: str, prefix: str) -> Iterator[tuple[Any, Any, Any]]:
    cursor: str | None = None
    while True:
        page = ports.state_store.list(_namespace(app_name), prefix=prefix, limit=_PAGE, cursor=cursor)
        for record in page.items:
            found = record.value
            yield (restore_payload(found.get("user_id")), *(restore_payload(found[name]) for name in ("key", "value")))
        cursor = page.cursor
        if cursor is None:
            return
