"""Calls of all ports, each of which may be repeated, on a store with a few things in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.making import (
    a_record,
    a_run,
    a_session,
    an_artifact,
    an_event,
    changed,
    days_ago,
    ids,
    some_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Calls = dict[str, Callable[[asm.Backend], Any]]

OLD = changed(a_session(id="old", status="completed", user_id="u"), created_at=days_ago(200), updated_at=days_ago(200))
GONE = changed(OLD, id="gone", deleted_at=days_ago(100))
POLICY = asm.RetentionPolicy(max_events_per_session=3)
RUN = a_run("s")
EVENT = an_event("s")
BATCH = [*some_events("s", 2), *some_events("old", 2)]
RESULT = asm.ExecutionResult(OLD, a_run(OLD), some_events("s", 3))
COPY = (a_session(id="copy"), [a_run("copy")], [an_event("copy").numbered(7)])
ARTIFACT = an_artifact()
KEPT = an_artifact(key="kept")
RECORD = a_record(key="copied", revision=3)


def with_title(session: asm.Session) -> asm.Session:
    """Return the session with a title."""
    return changed(session, title="titled")


def redact_all(store: asm.SessionStore, session_id: str) -> asm.Erased:
    """Redact all events of a session."""
    return store.redact_events(session_id, ids(store.get_events(session_id)))


def restore_record(store: asm.StateStore) -> asm.StateRecord:
    """Store a copy of a record, in place of the one that is there."""
    stored = store.get(RECORD.namespace, RECORD.key)
    return store.restore(RECORD, expected_revision=stored.revision if stored else 0)


WRITES: Calls = {
    "save_session": lambda backend: backend.session_store.save_session(OLD),
    "delete_session": lambda backend: backend.session_store.delete_session("old"),
    "update_session": lambda backend: backend.session_store.update_session("s", with_title),
    "save_run": lambda backend: backend.session_store.save_run(RUN),
    "append_event": lambda backend: backend.session_store.append_event(EVENT),
    "append_events": lambda backend: backend.session_store.append_events(BATCH),
    "flush": lambda backend: backend.session_store.flush(RESULT),
    "restore_session": lambda backend: backend.session_store.restore_session(*COPY),
    "fork_session": lambda backend: backend.session_store.fork_session("s"),
    "delete_events": lambda backend: backend.session_store.delete_events("s", after=3),
    "redact_events": lambda backend: backend.session_store.redact_events(
        "s", ids(backend.session_store.get_events("s"))
    ),
    "prune_session_events": lambda backend: backend.maintenance.prune_session_events("s", POLICY),
    "soft_delete_session": lambda backend: backend.maintenance.soft_delete_session("s"),
    "undelete_session": lambda backend: backend.maintenance.undelete_session("gone"),
    "soft_delete": lambda backend: backend.maintenance.soft_delete_expired_sessions(POLICY),
    "hard_delete": lambda backend: backend.maintenance.hard_delete_expired_sessions(POLICY),
    "clean_records": lambda backend: backend.maintenance.clean_expired_records(),
    "erase_user": lambda backend: backend.maintenance.erase_user("u"),
    "register": lambda backend: backend.artifact_registry.register(ARTIFACT),
    "delete": lambda backend: backend.artifact_registry.delete("kept"),
    "put_state": lambda backend: backend.state_store.put("n", "kept", 2),
    "restore_state": lambda backend: restore_record(backend.state_store),
    "delete_state": lambda backend: backend.state_store.delete("n", "kept"),
}
READS: Calls = {
    "get_session": lambda backend: backend.session_store.get_session("s"),
    "list_runs": lambda backend: backend.session_store.list_runs("s"),
    "get_active_run": lambda backend: backend.session_store.get_active_run("s"),
    "get_events": lambda backend: backend.session_store.get_events("s"),
    "search_sessions": lambda backend: backend.query_api.search_sessions(),
    "search_events": lambda backend: backend.query_api.search_events(),
    "get_usage_summary": lambda backend: backend.query_api.get_usage_summary(),
    "export_session": lambda backend: backend.query_api.export_session("s"),
    "get_cost_summary": lambda backend: backend.query_api.get_cost_summary(),
    "get_by_key": lambda backend: backend.artifact_registry.get_by_key("kept"),
    "list_state": lambda backend: backend.state_store.list("n"),
    "health_check": lambda backend: backend.maintenance.health_check(),
}
CALLS = {**WRITES, **READS}


def fill(backend: asm.Backend) -> None:
    """Store what the calls are about, in place of what a call has left of it."""
    for session in (a_session(id="s"), OLD, GONE):
        backend.session_store.delete_session(session.id)
        backend.session_store.restore_session(session)
    backend.session_store.append_events(some_events("s", 5))
    backend.artifact_registry.register(KEPT)
    backend.state_store.put("n", "kept", 1)
    backend.state_store.delete("n", RECORD.key)
    backend.state_store.put("n", "expired", 1, expires_at=days_ago(1))


def state(backend: asm.Backend) -> Any:
    """Return all that is stored."""
    sessions = backend.query_api.search_sessions(include_deleted=True).items
    exports = [backend.query_api.export_session(session.id, include_artifacts=True) for session in sessions]
    artifacts = [backend.artifact_registry.get_by_key(key) for key in ("kept", ARTIFACT.key)]
    return exports, artifacts, [(record.key, record.value) for record in backend.state_store.list("n")]


@pytest.fixture
def stored(backend: asm.Backend) -> asm.Backend:
    """Return the backend, with what the calls are about."""
    fill(backend)
    return backend
