"""Closing what a killed process left open."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import SessionNotFoundError
from asm_core.models import Event, EventType, RunStatus, SessionStatus
from asm_core.ports import ExecutionResult
from asm_core.queries import SESSION_ORDERS, SessionQuery
from asm_core.stamps import STAMP_KEY, is_gone, make_stamp, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import Run, Session
    from asm_core.payloads import Payload
    from asm_core.ports import SessionStore

_PAGE: Final = 100
_OPEN: Final = (SessionStatus.PENDING, SessionStatus.ACTIVE)
_NAMESPACE: Final = uuid.UUID("8f5c1f8e-5a0b-5d0a-9d58-2f6b3f0f5c11")
"""What the ids of closing events are made in (RFC 9562, section 5.5): whoever closes a session makes the same ones."""


def close_abandoned(session_store: SessionStore) -> list[str]:
    """Close the sessions that nobody records any more; return the ids of those that this call closed.

    That is: sessions that `SessionManager.run_once` began in a process which ran on this machine and has ended, and
    those of this process whose end could not be stored, as the store was away for too long. They and their unfinished
    runs become failed, with the events error_occurred (reason "recorder died" or "recorder gave up"), run_failed and
    session_failed. Another process that is alive, or of which nothing can be known here (another machine, another
    container), keeps its sessions. Any number of processes may do this at once; each event is stored once.

    Raises:
        StorageError: the store could not be read or written; what was closed before stays closed.
    """
    own = make_stamp()
    return [session.id for session in _abandoned(session_store, own) if _close(session_store, session, own)]


def _abandoned(session_store: SessionStore, own: Payload) -> Iterator[Session]:
    # By key, which neither this nor another process's closing moves.
    query = SessionQuery(statuses=_OPEN, order=SESSION_ORDERS["created_at_asc"], limit=_PAGE)
    while page := session_store._find_sessions(query):  # noqa: SLF001  the port's own listing pages by offset
        yield from (session for session in page if _is_left(session, own))
        query = msgspec.structs.replace(query, start=query.order.key_of(page[-1]))


def _is_left(session: Session, own: Payload) -> bool:
    stamp = session.metadata.get(STAMP_KEY)
    return session.id not in recording if stamp == own else is_gone(stamp)


def _close(session_store: SessionStore, listed: Session, own: Payload) -> bool:
    """Close a session, and return whether it was this call that did."""
    try:
        # The runs first: while the session is seen open after them, nobody has closed the last of them.
        runs = session_store.list_runs(listed.id, status=(RunStatus.PENDING, RunStatus.RUNNING))
        session = session_store.get_session(listed.id)
    except SessionNotFoundError:
        return False  # deleted meanwhile
    if session.status not in _OPEN:
        return False  # closed by another process
    error = _error(session, own)
    for run in runs[:-1]:
        session_store.flush(ExecutionResult(session, _failed_run(run, error), _run_events(session, run, error)))
    last = runs[-1] if runs else None
    events = _run_events(session, last, error)
    events.append(_event(EventType.SESSION_FAILED, session, None, {"error": error}))
    if session.status is SessionStatus.PENDING:
        session = session.with_status(SessionStatus.ACTIVE)
    failed_run = None if last is None else _failed_run(last, error)
    stored = session_store.flush(ExecutionResult(session.with_status(SessionStatus.FAILED), failed_run, events))
    # Whoever comes second gets back what the first has stored.
    return stored[-1].timestamp == events[-1].timestamp


def _failed_run(run: Run, error: Payload) -> Run:
    if run.status is RunStatus.PENDING:
        run = run.with_status(RunStatus.RUNNING)
    return run.with_error(error).with_status(RunStatus.FAILED)


def _run_events(session: Session, run: Run | None, error: Payload) -> list[Event]:
    reason = error["details"]["reason"]
    events = [_event(EventType.ERROR_OCCURRED, session, run, {"reason": reason, "error": error})]
    if run is not None:
        events.append(_event(EventType.RUN_FAILED, session, run, {"error": error}))
    return events


def _event(kind: EventType, session: Session, run: Run | None, data: dict[str, Any]) -> Event:
    run_id = None if run is None else run.id
    name = f"{session.id}\n{run_id}\n{kind}"
    return Event.new(
        id=f"evt_{uuid.uuid5(_NAMESPACE, name).hex}",
        type=kind,
        session_id=session.id,
        run_id=run_id,
        provider=None if run is None else run.provider,
        data=data,
    )


def _error(session: Session, own: Payload) -> Payload:
    stamp = session.metadata[STAMP_KEY]
    who = f"Process {stamp['pid']} on {stamp['host']}"
    reason, message = "recorder died", f"{who}, which recorded this session, ended before the run did."
    if stamp == own:
        reason, message = "recorder gave up", f"{who} could not store the end of this session, and gave up."
    return {
        "code": "provider_error",
        "message": message,
        "details": {"reason": reason, "host": stamp["host"], "pid": stamp["pid"]},
        "retryable": False,
    }
