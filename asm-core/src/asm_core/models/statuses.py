"""The statuses of sessions and runs, and the types of events."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from asm_core.errors import InvalidEventTypeError, InvalidStatusError, InvalidTransitionError, short_repr

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class SessionStatus(StrEnum):
    """The status of a session."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """The status of a run."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


class EventType(StrEnum):
    """The types of events that this project defines. An application's own types are strings with a dot."""

    SESSION_CREATED = "session_created"
    SESSION_STARTED = "session_started"
    SESSION_PAUSED = "session_paused"
    SESSION_RESUMED = "session_resumed"
    SESSION_COMPLETED = "session_completed"
    SESSION_FAILED = "session_failed"
    SESSION_CANCELLED = "session_cancelled"
    RUN_STARTED = "run_started"
    RUN_COMPLETED = "run_completed"
    RUN_FAILED = "run_failed"
    RUN_CANCELLED = "run_cancelled"
    RUN_TIMEOUT = "run_timeout"
    MESSAGE_SENT = "message_sent"
    MESSAGE_RECEIVED = "message_received"
    MESSAGE_STREAMED = "message_streamed"
    TOOL_CALL_STARTED = "tool_call_started"
    TOOL_CALL_COMPLETED = "tool_call_completed"
    TOOL_CALL_FAILED = "tool_call_failed"
    ERROR_OCCURRED = "error_occurred"
    ERROR_RECOVERED = "error_recovered"
    TOKEN_USAGE_UPDATED = "token_usage_updated"  # noqa: S105  the name of an event, not a secret
    TURN_COMPLETED = "turn_completed"
    WORKSPACE_SNAPSHOT_TAKEN = "workspace_snapshot_taken"
    WORKSPACE_DIFF_COMPUTED = "workspace_diff_computed"
    POLICY_VIOLATION = "policy_violation"
    TOOL_APPROVAL_REQUESTED = "tool_approval_requested"
    TOOL_APPROVAL_GRANTED = "tool_approval_granted"
    TOOL_APPROVAL_DENIED = "tool_approval_denied"


Status = TypeVar("Status", SessionStatus, RunStatus)

TERMINAL_SESSION_STATUSES: Final = frozenset({SessionStatus.COMPLETED, SessionStatus.FAILED, SessionStatus.CANCELLED})
TERMINAL_RUN_STATUSES: Final = frozenset(RunStatus) - {RunStatus.PENDING, RunStatus.RUNNING}

SESSION_STEPS: Final[Mapping[SessionStatus, frozenset[SessionStatus]]] = {
    SessionStatus.PENDING: frozenset({SessionStatus.ACTIVE}),
    SessionStatus.ACTIVE: frozenset({SessionStatus.PAUSED}) | TERMINAL_SESSION_STATUSES,
    SessionStatus.PAUSED: frozenset({SessionStatus.ACTIVE}),
}
"""The allowed transitions of a session; none from a status that is not listed."""

RUN_STEPS: Final[Mapping[RunStatus, frozenset[RunStatus]]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING}),
    RunStatus.RUNNING: TERMINAL_RUN_STATUSES,
}
"""The allowed transitions of a run; none from a status that is not listed."""

# A dict lookup costs a tenth of a call of the enum; reading does one for every row.
SESSION_STATUSES: Final[Mapping[str, SessionStatus]] = {str(status): status for status in SessionStatus}
RUN_STATUSES: Final[Mapping[str, RunStatus]] = {str(status): status for status in RunStatus}
EVENT_TYPES: Final[Mapping[str, EventType]] = {str(kind): kind for kind in EventType}


def check_session_status(value: object) -> SessionStatus:
    """Return the session status named `value`.

    Raises:
        InvalidStatusError: unknown status.
    """
    status = SESSION_STATUSES.get(value) if isinstance(value, str) else None
    if status is None:
        message = f"Unknown session status: {short_repr(value)}. Known statuses: {', '.join(SessionStatus)}."
        raise InvalidStatusError(message)
    return status


def check_run_status(value: object) -> RunStatus:
    """Return the run status named `value`.

    Raises:
        InvalidStatusError: unknown status.
    """
    status = RUN_STATUSES.get(value) if isinstance(value, str) else None
    if status is None:
        message = f"Unknown run status: {short_repr(value)}. Known statuses: {', '.join(RunStatus)}."
        raise InvalidStatusError(message)
    return status


_CUSTOM: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_LONGEST: Final = 512
RESERVED: Final = "asm."
"""The prefix of the types that only this project records."""


def is_custom_type(value: str) -> bool:
    """Return whether `value` is a valid event type of an application: words with dots between them."""
    return _CUSTOM.fullmatch(value) is not None and len(value.encode()) <= _LONGEST


def check_event_type(value: object) -> str:
    """Return the event type named `value`: a member of `EventType`, or a custom type as a string.

    Raises:
        InvalidEventTypeError: unknown event type without a dot, or an invalid name.
    """
    if isinstance(value, str):
        kind = EVENT_TYPES.get(value)
        if kind is not None:
            return kind
        if is_custom_type(value):
            return str.__str__(value)
    message = (
        f"Unknown event type: {short_repr(value)}. Known types: {', '.join(EventType)}. A custom type has "
        "letters, digits, _ and -, with at least one dot between them, such as acme.thinking."
    )
    raise InvalidEventTypeError(message)


def check_new_type(value: object) -> str:
    """Return the type of a new event.

    Raises:
        InvalidEventTypeError: as for `check_event_type`, or the type is reserved.
    """
    kind = check_event_type(value)
    refuse_reserved(kind)
    return kind


def refuse_reserved(kind: str) -> None:
    """Check that a valid event type is not one that only this project records.

    Raises:
        InvalidEventTypeError: it is.
    """
    if kind.startswith(RESERVED):
        message = (
            f"The event type {short_repr(kind)} is reserved: {RESERVED} is the prefix of this project. Use your own."
        )
        raise InvalidEventTypeError(message)


_MOST_TYPES: Final = 1_000
"""The number of types that are checked only once; an application has few."""


class TypesOfRows(dict[str, str]):
    """Event types by their stored names, custom types included; any other name is a KeyError."""

    def __missing__(self, name: str) -> str:
        """Return a custom type."""
        if not is_custom_type(name):
            raise KeyError(name)
        if len(self) < _MOST_TYPES:
            self[name] = name
        return name


def check_step(of: str, steps: Mapping[Status, Collection[Status]], old: Status, new: Status) -> None:
    """Check the transition of `of` (its name in the message) from `old` to `new`.

    Raises:
        InvalidTransitionError: `steps` does not contain it.
    """
    allowed = steps.get(old, ())
    if new not in allowed:
        onward = ", ".join(sorted(allowed)) or "nothing, because it has ended"
        message = f"{of} is {old} and cannot become {new}; it can become: {onward}."
        raise InvalidTransitionError(message)
