"""Closing of sessions and runs that a killed process left open."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core import logs
from asm_core.errors import (
    AlreadyExistsError,
    InvalidTransitionError,
    NotFoundError,
    RevisionConflictError,
    SessionDeletedError,
    SessionNotFoundError,
)
from asm_core.models import Event, EventType, Run, RunStatus, Session, SessionStatus
from asm_core.models.session import STAMP_KEY
from asm_core.ports import ExecutionResult
from asm_core.querying.pages import pages
from asm_core.querying.queries import RUN_ORDERS, SESSION_ORDERS, RunQuery, SessionQuery
from asm_core.recording.lifecycle.claims import end_id, once_id
from asm_core.recording.lifecycle.leases import is_lost
from asm_core.recording.lifecycle.process_identity import make_stamp, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.ports import SessionStore
    from asm_core.values.payloads import Payload

_PAGE: Final = 100
_OPEN: Final = (SessionStatus.PENDING, SessionStatus.ACTIVE)
_ATTEMPTS: Final = 20
"""The number of retries when another process ends a run or session at the same time."""


def close_abandoned(session_store: SessionStore) -> list[str]:
    """Close abandoned sessions and runs; return the ids of those that this call closed.

    A session of `SessionManager.run_once` or a run of `SessionManager.execute_run` is abandoned if its process ran on
    this machine and has ended. One of this process is abandoned if its end could not be stored, because the store was
    unavailable for too long. An abandoned session or run becomes failed, and so do the open runs of such a session,
    with the events error_occurred (reason "recorder died" or "recorder gave up"), run_failed and session_failed. The
    session of a run of `execute_run` is not changed. Sessions and runs of a live process are not abandoned. Those of
    another machine or container are abandoned once the lease of the run has ended. Any number of processes may call
    this at the same time; each event is stored once.

    Raises:
        StorageError: the store could not be read or written; sessions and runs that were closed before stay closed.
    """
    own = make_stamp()
    closed = [session.id for session in _left_sessions(session_store, own) if _close(session_store, session.id, own)]
    for run in _left_runs(session_store, own):
        closed += _close_left(session_store, run, own)
    for record_id in closed:
        logs.warning("recording", "closed as abandoned", id=record_id)
    return closed


def close_abandoned_run(session_store: SessionStore, run_id: str | None) -> bool:
    """Close one run, if it is abandoned; return whether this call did it.

    Raises:
        StorageError: the store could not be read or written.
    """
    own = make_stamp()
    with contextlib.suppress(NotFoundError):
        if run_id is not None and _is_left(run := session_store.get_run(run_id), own):
            return bool(_close_left(session_store, run, own))
    return False


def _close_left(session_store: SessionStore, run: Run, own: Payload) -> list[str]:
    """Close an abandoned run, with its session if that ends with the run; return the ids of what this call closed."""
    session = session_store.get_session(run.session_id)
    # A session has no lease: it is abandoned with the run of the same process.
    if session.metadata.get(STAMP_KEY) == run.metadata.get(STAMP_KEY) and session.status in _OPEN:
        return [session.id] if _close(session_store, session.id, own) else []
    return [run.id] if _close_run(session_store, run, own) else []


def _left_sessions(session_store: SessionStore, own: Payload) -> Iterator[Session]:
    # By key: closing sessions, here or in another process, does not move the pages.
    query = SessionQuery(statuses=_OPEN, order=SESSION_ORDERS["created_at_asc"], limit=_PAGE)
    for page in pages(session_store.reader.find_sessions, query):
        yield from (session for session in page if _is_left(session, own))


def _left_runs(session_store: SessionStore, own: Payload) -> Iterator[Run]:
    query = RunQuery(statuses=(RunStatus.RUNNING,), order=RUN_ORDERS["started_at_asc"], limit=_PAGE)
    for page in pages(session_store.reader.find_runs, query):
        yield from (run for run in page if _is_left(run, own))


def _is_left(recorded: Session | Run, own: Payload) -> bool:
    stamp = recorded.metadata.get(STAMP_KEY)
    return recorded.id not in recording if stamp == own else is_lost(recorded)


def _close(session_store: SessionStore, session_id: str, own: Payload) -> bool:
    """Close a session; return whether this call did it."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(
            AlreadyExistsError, InvalidTransitionError, RevisionConflictError
        ):  # changed meanwhile
            try:
                return _close_as_it_is(session_store, session_id, own)
            except (SessionNotFoundError, SessionDeletedError):
                return False  # deleted meanwhile
    return False


def _close_as_it_is(session_store: SessionStore, session_id: str, own: Payload) -> bool:
    # Runs are read first: if the session is still open after that, no process has closed the last run.
    runs = session_store.list_runs(session_id, status=(RunStatus.PENDING, RunStatus.RUNNING))
    session = session_store.get_session(session_id)
    if session.status not in _OPEN:
        return False  # closed by another process
    error = _error(session, own)
    for run in runs[:-1]:
        session_store.flush(_failing(session, session, run, _run_events(session, run, error)))
        session = msgspec.structs.replace(session, revision=session.revision + 1)
    last = runs[-1] if runs else None
    events = _run_events(session, last, error)
    events.append(
        Event.new(id=end_id(session), type=EventType.SESSION_FAILED, session_id=session.id, data={"error": error})
    )
    active = session.with_status(SessionStatus.ACTIVE) if session.status is SessionStatus.PENDING else session
    stored = session_store.flush(_failing(session, active.with_status(SessionStatus.FAILED), last, events))
    # The second process receives the events that the first has stored.
    return stored[-1].timestamp == events[-1].timestamp


def _close_run(session_store: SessionStore, run: Run, own: Payload) -> bool:
    """Close a run but not its session; return whether this call did it."""
    for _ in range(_ATTEMPTS):
        try:
            session, run = session_store.get_session(run.session_id), session_store.get_run(run.id)
            if session.deleted_at is not None or run.status is not RunStatus.RUNNING:
                return False
            error = _error(run, own)
            events = _run_events(session, run, error)
            stored = session_store.flush(_failing(session, session, run, events))
        except RevisionConflictError:
            continue  # changed meanwhile
        except (AlreadyExistsError, InvalidTransitionError, NotFoundError, SessionDeletedError):
            return False  # ended or deleted meanwhile
        return stored[-1].timestamp == events[-1].timestamp
    return False


def _failing(read: Session, changed: Session, run: Run | None, events: list[Event]) -> ExecutionResult:
    """Return the flush that fails a run, with the error of the first event, if nothing changes meanwhile."""
    return ExecutionResult(
        changed,
        None if run is None else _failed_run(run, events[0].data["error"]),
        events,
        expected_session_revision=read.revision,
        expected_run_revision=None if run is None else run.revision,
    )


def _failed_run(run: Run, error: Payload) -> Run:
    if run.status is RunStatus.PENDING:
        run = run.with_status(RunStatus.RUNNING)
    return run.with_error(error).with_status(RunStatus.FAILED)


def _run_events(session: Session, run: Run | None, error: Payload) -> list[Event]:
    """Build the events that close a run, or a session without one, from its state before."""
    fields: dict[str, Any] = {"session_id": session.id}
    if run is not None:
        fields |= {"run_id": run.id, "provider": run.provider}
    data = {"reason": error["details"]["reason"], "error": error}
    # Every process that closes it creates the same ids.
    first = once_id(session.id, fields.get("run_id"), EventType.ERROR_OCCURRED)
    events = [Event.new(id=first, type=EventType.ERROR_OCCURRED, data=data, **fields)]
    if run is not None:
        events.append(Event.new(id=end_id(run), type=EventType.RUN_FAILED, data={"error": error}, **fields))
    return events


def _error(recorded: Session | Run, own: Payload) -> Payload:
    stamp = recorded.metadata[STAMP_KEY]
    what = "session" if isinstance(recorded, Session) else "run"
    who = f"Process {stamp['pid']} on {stamp['host']}"
    reason, message = "recorder died", f"{who}, which recorded this {what}, ended before the run did."
    if stamp == own:
        reason, message = "recorder gave up", f"{who} could not store the end of this {what} and gave up."
    return {
        "code": "provider_error",
        "message": message,
        "details": {"reason": reason, "host": stamp["host"], "pid": stamp["pid"]},
        "retryable": False,
    }
