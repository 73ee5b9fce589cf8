"""An endless, deterministic sequence of calls, for processes that are killed at any point of it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, changed
from asm_core import ExecutionResult, RetentionPolicy
from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core import Backend, Event

LONG_AGO: Final = datetime(2001, 1, 1, tzinfo=UTC)
POLICY: Final = RetentionPolicy(max_events_per_session=5)
LOGS: Final = ("ses_log", "ses_other")
"""The permanent sessions."""


def arrange(backend: Backend) -> None:
    """Store the initial data of the calls."""
    for name in LOGS:
        backend.session_store.save_session(session(name))


def call(backend: Backend, place: int) -> None:
    """Make the call at this index of the sequence. It is atomic and idempotent."""
    turn, step = divmod(place, len(STEPS))
    STEPS[step](backend, f"{turn:05}")


def call_forever(backend: Backend, say: Callable[[Any], None], *, start: int) -> None:
    """Make the calls from an index on, and report each acknowledged one."""
    for place in count(start):
        call(backend, place)
        say(place)


def everything(backend: Backend) -> dict[str, Any]:
    """Return all data of a store."""
    query, registry = backend.query_api, backend.artifact_registry
    sessions = list(all_items(query.search_sessions, include_deleted=True, order_by="created_at_asc"))
    return {
        "sessions": sessions,
        "runs": list(all_items(query.search_runs, order_by="started_at_asc")),
        "events": list(all_items(query.search_events)),
        "numbers": [backend.session_store.get_latest_sequence(session.id) for session in sessions],
        "artifacts": [registry.list_by_session(session.id) for session in sessions],
    }


def session(name: str, **fields: Any) -> Any:
    """Return a session, an equal one each time."""
    return a_session(id=name, created_at=LONG_AGO, **fields)


def event(name: str, ident: str, **fields: Any) -> Event:
    """Return an event, an equal one each time."""
    return an_event(name, id=f"evt_{ident}", timestamp=LONG_AGO, **fields)


def _append(backend: Backend, turn: str) -> None:
    backend.session_store.append_event(event(LOGS[0], f"{turn}_one"))


def _append_batch(backend: Backend, turn: str) -> None:
    names = (*LOGS, *LOGS)
    backend.session_store.append_events(event(name, f"{turn}_{place}") for place, name in enumerate(names))


def _flush(backend: Backend, turn: str, *, name: str = "ses") -> None:
    session_id = f"{name}_{turn}"
    run = a_run(session_id, id=f"run_of_{session_id}", started_at=LONG_AGO)
    events = [event(session_id, f"{session_id}_{place}", run_id=run.id) for place in range(3)]
    backend.session_store.flush(ExecutionResult(session(session_id), run, events))


def _flush_other(backend: Backend, turn: str) -> None:
    _flush(backend, turn, name="other")


def _register(backend: Backend, turn: str) -> None:
    artifact = an_artifact(id=f"art_{turn}", key=turn, session_id=f"ses_{turn}", created_at=LONG_AGO)
    backend.artifact_registry.register(artifact)


def _prune(backend: Backend, _turn: str) -> None:
    backend.maintenance.prune_session_events(LOGS[0], POLICY)


def _prune_other(backend: Backend, _turn: str) -> None:
    backend.maintenance.prune_session_events(LOGS[1], POLICY)


def _restore_old(backend: Backend, turn: str) -> None:
    old = changed(session(f"old_{turn}"), deleted_at=LONG_AGO)
    events = [event(old.id, f"{turn}_old_{place}").numbered(place + 1) for place in range(3)]
    backend.session_store.restore_session(old, [a_run(old, id=f"run_old_{turn}", started_at=LONG_AGO)], events)


def _delete_old(backend: Backend, _turn: str) -> None:
    backend.maintenance.hard_delete_expired_sessions(POLICY)


def _delete(backend: Backend, turn: str) -> None:
    backend.session_store.delete_session(f"ses_{turn}")


def _clean(backend: Backend, _turn: str) -> None:
    backend.maintenance.clean_orphaned_artifacts()


STEPS: Final = (
    _append,
    _append_batch,
    _flush,
    _register,
    _prune,
    _flush_other,
    _restore_old,
    _append_batch,
    _delete_old,
    _delete,
    _prune_other,
    _clean,
)
