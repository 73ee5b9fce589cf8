"""The rules for ids, keys and numbers that are already in use, the same on every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from asm_core.errors import AlreadyExistsError, InvalidTransitionError, RevisionConflictError
from asm_core.models import Run, Session
from asm_core.models.statuses import TERMINAL_RUN_STATUSES
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asm_core.models import Artifact, Event, StoredEvent

E = TypeVar("E", bound="Event")
M = TypeVar("M", Session, Run)


def ensure_idempotent(stored: E, given: Event) -> E:
    """Return the stored event if it equals the given one.

    Raises:
        AlreadyExistsError: the given event has the same id, but other content.
    """
    if stored.same_fact(given):
        return stored
    message = (
        f"Event {given.id} is already stored (session {stored.session_id}, number {stored.sequence_number}) with "
        "another session, run, type or data. Give the new event another id."
    )
    raise AlreadyExistsError(message, details={"event_id": given.id})


def split_repeats(events: list[Event]) -> tuple[list[Event], list[Event]]:
    """Return the first event of each id, and the repeated ones.

    Raises:
        AlreadyExistsError: a repeated event has other content than the first one with its id.
    """
    if len({event.id for event in events}) == len(events):
        return events, []
    first: dict[str, Event] = {}
    repeats = []
    for event in events:
        if event.id in first:
            ensure_idempotent(first[event.id], event)
            repeats.append(event)
        else:
            first[event.id] = event
    return list(first.values()), repeats


def ordered(events: Iterable[Event], stored: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Return for each event the stored event with its id."""
    found = {event.id: event for event in stored}
    return [found[event.id] for event in events]


def check_restored(
    events: list[Event], stored: Mapping[str, Event], numbers_between: Callable[[int, int], set[int]]
) -> list[Event]:
    """Return the numbered events that are not stored yet.

    Args:
        events: events of one session, without duplicate ids.
        stored: the stored events with these ids.
        numbers_between: returns the used numbers of the session in an inclusive range.

    Raises:
        AlreadyExistsError: another event has an id or a number.
    """
    for event in events:
        if event.id in stored:
            ensure_idempotent(stored[event.id], event)
            if stored[event.id].sequence_number != event.sequence_number:
                raise number_taken(event)
    fresh = [event for event in events if event.id not in stored]
    wanted = [event.sequence_number or 0 for event in fresh]
    taken = numbers_between(min(wanted), max(wanted)) if wanted else set()
    for event, number in zip(fresh, wanted, strict=True):
        if number in taken:
            raise number_taken(event)
        taken.add(number)
    return fresh


def number_taken(event: Event) -> AlreadyExistsError:
    """Return the error for a restored event whose number another event has."""
    return AlreadyExistsError(
        f"Number {event.sequence_number} of session {event.session_id} belongs to another event than {event.id}. "
        "Restore into a store that does not have the session yet.",
        details={"event_id": event.id, "session_id": event.session_id, "sequence_number": event.sequence_number},
    )


def run_refused(session_id: str, status: str, given: Run) -> AlreadyExistsError | InvalidTransitionError | None:
    """Return the error for a run that must not replace the stored run with its id; None if it may.

    A run never moves to another session, and one that has ended keeps its status.

    Args:
        session_id: the session of the stored run.
        status: the status of the stored run.
        given: the run to save.
    """
    if session_id != given.session_id:
        return run_taken(session_id, given)
    if status == given.status or status not in TERMINAL_RUN_STATUSES:
        return None
    return InvalidTransitionError(
        f"Run {given.id} is stored as {status}, which is final, and cannot become {given.status}. Read it with "
        "get_run(), and start a new run for another attempt.",
        details={"run_id": given.id, "session_id": session_id, "status": str(status)},
    )


def run_taken(session_id: str, given: Run) -> AlreadyExistsError:
    """Return the error for a run whose id belongs to a run of another session."""
    return AlreadyExistsError(
        f"Run {given.id} belongs to session {session_id}, and cannot move to another one ({given.session_id}). Give "
        "the new run another id.",
        details={"run_id": given.id, "session_id": session_id},
    )


def check_revision(kind: str, record_id: str, *, expected: int | None, stored: int) -> None:
    """Check that a stored session or run has the expected revision; None expects nothing.

    Args:
        kind: ``session`` or ``run``.
        record_id: its id.
        expected: the expected revision; 0 expects that it is not stored.
        stored: its stored revision; 0 if it is not stored.

    Raises:
        RevisionConflictError: it has another one.
    """
    if expected is not None and expected != stored:
        raise RevisionConflictError(kind, record_id, expected=expected, stored=stored)


def next_revision(stored: M | None, given: M, expected: int | None) -> int:
    """Return the revision under which a session or run is saved over the stored one, if it may be.

    Raises:
        AlreadyExistsError: a run of another session has the id.
        RevisionConflictError: the stored revision is not the expected one.
        InvalidTransitionError: the stored run has ended with another status.
    """
    is_run = isinstance(given, Run)
    if isinstance(stored, Run) and isinstance(given, Run) and stored.session_id != given.session_id:
        raise run_taken(stored.session_id, given)
    revision = 0 if stored is None else stored.revision
    check_revision("run" if is_run else "session", given.id, expected=expected, stored=revision)
    if isinstance(stored, Run) and isinstance(given, Run):
        refused = run_refused(stored.session_id, stored.status, given)
        if refused is not None:
            raise refused
    return revision + 1


def is_repeat(stored: M, given: M, expected: int) -> bool:
    """Return whether a stored session or run is exactly the given one, under the revision after the expected one.

    Then the save that expected that revision was made before, and only its reply was lost.
    """
    if stored.revision != expected + 1:
        return False
    own = msgspec.structs.replace(given, revision=stored.revision)
    if isinstance(stored, Session):
        own = msgspec.structs.replace(own, deleted_at=stored.deleted_at)
    # In Python 1, 1.0 and True are equal; in JSON they are not.
    return own == stored and encode_json(own) == encode_json(stored)


def with_revision(record: M) -> M:
    """Return a copy to store: what was never stored gets the revision of a first save."""
    return record if record.revision else msgspec.structs.replace(record, revision=1)


def artifact_taken(stored: Artifact, given: Artifact) -> AlreadyExistsError:
    """Return the error for an artifact whose id or key belongs to another one."""
    field, value = ("id", given.id) if stored.id == given.id else ("key", given.key)
    return AlreadyExistsError(
        f"Another artifact ({stored.id}) has the {field} {value!r}. Delete it first, or choose another {field}.",
        details={"artifact_id": stored.id, "key": stored.key},
    )
