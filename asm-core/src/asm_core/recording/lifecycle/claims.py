"""Exclusive begin and end of a run: the first process wins."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.conversation.shapes import WARNINGS, shape_warnings
from asm_core.errors import BusyError, InvalidTransitionError
from asm_core.models import Event, EventType, Run, RunStatus, Session, SessionStatus
from asm_core.models.session import STAMP_KEY
from asm_core.ports import ExecutionResult
from asm_core.recording.lifecycle.leases import is_lost, leased
from asm_core.recording.lifecycle.process_identity import describe_stamp, make_stamp, recording
from asm_core.values.ids import new_id
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.ports import SessionStore
    from asm_core.values.payloads import Payload

_NAMESPACE: Final = uuid.UUID("8f5c1f8e-5a0b-5d0a-9d58-2f6b3f0f5c11")
"""The namespace for the ids of events that may happen once (RFC 9562, section 5.5)."""

ATTEMPTS: Final = 50
"""The number of attempts to change a session or a run while other processes change it at the same time."""

CANCEL_REQUESTED: Final = "asm.cancel_requested"
"""The type of the event that asks for the cancellation of a run."""


def once_id(*names: str | None) -> str:
    """Return the id of an event that may be stored once, by any process.

    If two processes store different events with one id, the second gets an `AlreadyExistsError` and its flush stores
    nothing. So two processes cannot begin or end the same run.
    """
    return f"evt_{uuid.uuid5(_NAMESPACE, chr(10).join(map(str, names))).hex}"


def begin_id(run: Run) -> str:
    """Return the id of the event that begins a run."""
    return once_id("run", run.id, "begin")


def end_id(ended: Run | Session) -> str:
    """Return the id of the event that ends a session or run, from its state before.

    A run that has not begun is ended with the id of the event that would begin it, so that it cannot begin meanwhile.
    """
    if isinstance(ended, Session):
        return once_id("session", ended.id, "end")
    return begin_id(ended) if ended.status is RunStatus.PENDING else once_id("run", ended.id, "end")


def begun(run: Run, lease: float) -> Run:
    """Claim a pending run for this process, and return it as running, with a lease of some seconds.

    Raises:
        InvalidTransitionError: the run is running, or has ended.
    """
    if run.status is RunStatus.RUNNING:
        message = (
            f"Run {run.id} is already running in {describe_stamp(run.metadata.get(STAMP_KEY))}. If that process has "
            "ended, call cancel_run to end the run."
        )
        raise InvalidTransitionError(message)
    metadata = {**run.metadata, STAMP_KEY: make_stamp()}
    return leased(msgspec.structs.replace(run.with_status(RunStatus.RUNNING), metadata=metadata), lease)


def is_executed(run: Run) -> bool:
    """Return whether another manager executes a run, or may do so, which this one does not execute."""
    stamp = run.metadata.get(STAMP_KEY)
    if run.status is not RunStatus.RUNNING or stamp is None or is_lost(run):
        return False
    return stamp != make_stamp() or run.id in recording  # else its end could not be stored


def cancel_request(run: Run) -> Event:
    """Return the event that asks the manager which executes a run to cancel it. A second one is a repeat."""
    return Event(
        id=once_id("run", run.id, "cancel"),
        type=CANCEL_REQUESTED,
        timestamp=utc_now(),
        session_id=run.session_id,
        run_id=run.id,
        provider=run.provider,
    )


def opened(session_store: SessionStore, run: Run, events: list[Event], *, exclusive: bool) -> ExecutionResult:
    """Return the flush that begins a run, with the session as it is stored, if neither changes meanwhile.

    Raises:
        InvalidTransitionError: the session is not active.
        BusyError: `exclusive` is set, and the session executes another run.
    """
    # The session is read first: if another run begins after that, the session changes, and the flush is refused.
    opening = closed(session_store, run, run, events)
    session = opening.session
    if session.status is not SessionStatus.ACTIVE:
        raise InvalidTransitionError(f"Session {session.id} is {session.status}. Activate it before starting a run.")
    if exclusive:
        others = session_store.list_runs(session.id, status=RunStatus.RUNNING, limit=2)
        if other := next((other for other in others if other.id != run.id), None):
            raise busy(session.id, other.id)
    return opening


def busy(session_id: str, run_id: str | None) -> BusyError:
    """Return the error of a session that executes another run."""
    return BusyError(
        f"Session {session_id} executes {f'run {run_id}' if run_id else 'another run'}. Wait for its end with "
        "queue_timeout, cancel it, or allow several runs at once with parallel_runs=True.",
        details={"session_id": session_id, "run_id": run_id},
    )


def closed(session_store: SessionStore, read: Run, changed: Run, events: list[Event]) -> ExecutionResult:
    """Return the flush that stores a changed run and events, if neither the run nor its session changes meanwhile."""
    session = session_store.get_session(read.session_id)
    return ExecutionResult(
        session, changed, events, expected_session_revision=session.revision, expected_run_revision=read.revision
    )


def first_events(run: Run, messages: Iterable[Payload]) -> list[Event]:
    """Return the events that begin a run: run_started, and message_sent for each of its messages.

    The execution id makes the first event different in each process, so that the store rejects all but one.
    """
    fields: dict[str, Any] = {"session_id": run.session_id, "run_id": run.id, "provider": run.provider}
    return [
        Event.new(id=begin_id(run), type=EventType.RUN_STARTED, data={"execution_id": new_id("exe")}, **fields),
        *(_sent(message, fields) for message in messages),
    ]


def _sent(message: Payload, fields: dict[str, Any]) -> Event:
    warnings = shape_warnings(EventType.MESSAGE_SENT, message)
    metadata = {WARNINGS: warnings} if warnings else {}
    return Event.new(type=EventType.MESSAGE_SENT, data=message, metadata=metadata, **fields)
