"""Which process may begin and end a run: the first, and none after it."""

from __future__ import annotations

import uuid
from typing import Any, Final

import msgspec

from asm_core.errors import InvalidTransitionError, ProviderError
from asm_core.models import Event, EventType, Run, RunStatus, Session
from asm_core.recording.process_identity import STAMP_KEY, describe_stamp, is_gone, make_stamp, recording
from asm_core.values.ids import new_id

_NAMESPACE: Final = uuid.UUID("8f5c1f8e-5a0b-5d0a-9d58-2f6b3f0f5c11")
"""What the ids of the events are made in that may happen once (RFC 9562, section 5.5)."""


def once_id(*names: str | None) -> str:
    """Return the id of an event that is stored once, whichever process stores it.

    Where two processes store different events of one id, the second gets an `AlreadyExistsError`, and its flush stores
    nothing: so two of them cannot begin or end the same run.
    """
    return f"evt_{uuid.uuid5(_NAMESPACE, chr(10).join(map(str, names))).hex}"


def begin_id(run: Run) -> str:
    """Return the id of the event that begins a run."""
    return once_id("run", run.id, "begin")


def end_id(ended: Run | Session) -> str:
    """Return the id of the event that ends a session or run, given as it is before.

    A run that has not begun is ended by the event that would begin it, so that it cannot begin meanwhile.
    """
    if isinstance(ended, Session):
        return once_id("session", ended.id, "end")
    return begin_id(ended) if ended.status is RunStatus.PENDING else once_id("run", ended.id, "end")


def begun(run: Run) -> Run:
    """Return a pending run as this process executes it.

    Raises:
        InvalidTransitionError: it is running, or has ended.
    """
    if run.status is RunStatus.RUNNING:
        message = (
            f"Run {run.id} is running already: {describe_stamp(run.metadata.get(STAMP_KEY))} executes it. "
            "If that process has ended, cancel_run ends the run."
        )
        raise InvalidTransitionError(message)
    metadata = {**run.metadata, STAMP_KEY: make_stamp()}
    return msgspec.structs.replace(run.with_status(RunStatus.RUNNING), metadata=metadata)


def check_not_executed(run: Run) -> None:
    """Let a run be cancelled that this manager does not execute.

    Raises:
        ProviderError: another does.
    """
    stamp = run.metadata.get(STAMP_KEY)
    if run.status is not RunStatus.RUNNING or stamp is None or is_gone(stamp):
        return
    name = describe_stamp(stamp)
    if stamp == make_stamp():
        if run.id not in recording:
            return  # its end could not be stored
        message = f"Run {run.id} is executed by another manager of this process ({name}); call its cancel_run."
    else:
        message = (
            f"Run {run.id} is executed by {name}, which is alive or cannot be seen from here; "
            "call cancel_run there, or end that process: then cancel_run or close_abandoned on its host ends the run."
        )
    raise ProviderError(message, details={"run_id": run.id, "session_id": run.session_id})


def first_events(run: Run) -> list[Event]:
    """Return the events of a run that begins: run_started, and message_sent with its input.

    The id of the execution makes the first one differ from that of another process, so that one of them is refused.
    """
    fields: dict[str, Any] = {"session_id": run.session_id, "run_id": run.id, "provider": run.provider}
    return [
        Event.new(id=begin_id(run), type=EventType.RUN_STARTED, data={"execution_id": new_id("exe")}, **fields),
        Event.new(type=EventType.MESSAGE_SENT, data=run.input, **fields),
    ]
