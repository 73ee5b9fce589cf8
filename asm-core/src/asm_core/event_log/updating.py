"""Saves that expect a revision: of one record, in a loop until no other writer intervenes, and in a flush."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from asm_core.errors import RevisionConflictError, ValidationError, short_repr
from asm_core.event_log.idempotency import is_repeat
from asm_core.models import Run, Session
from asm_core.models.base import check_natural
from asm_core.querying.queries import EventQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.models import Event, StoredEvent
    from asm_core.querying.reader import Reader

M = TypeVar("M", Session, Run)

_ATTEMPTS: Final = 200
_LONGEST_PAUSE: Final = 0.05
"""Seconds. A random part of it, so that writers do not meet again."""


class Expected(NamedTuple):
    """The expected revisions of a flush; None expects nothing."""

    session: int | None = None
    run: int | None = None


def check_expected(field: str, value: object) -> int | None:
    """Return `value` if it is a revision, 0 or None.

    Raises:
        ValidationError: it is another value.
    """
    return None if value is None else check_natural(field, value)


def check_change(change: object) -> None:
    """Check that `change` can be called.

    Raises:
        ValidationError: it cannot.
    """
    if not callable(change):
        message = f"change must be a function that takes and returns a session or run, not {short_repr(change)}."
        raise ValidationError(message)


def save(record: M, expected: int | None, write: Callable[[M, int | None], M], load: Callable[[str], M | None]) -> M:
    """Save a record with the primitive `write`; a conflict with a repeat of the same save is a success.

    Raises:
        RevisionConflictError: the stored record has another revision than the expected one.
    """
    try:
        return write(record, expected)
    except RevisionConflictError:
        stored = load(record.id)
        if expected is None or stored is None or not is_repeat(stored, record, expected):
            raise
        return stored


def update(load: Callable[[], M], change: Callable[[M], M], save: Callable[[M, int | None], M]) -> M:
    """Load a record, change it, and save it if no other writer has saved it meanwhile; else try again.

    `save` is the primitive, which takes no save for a repeat: of two writers that make the same change, one would be
    taken for the repeat of the other, and its change would be lost.

    Raises:
        RevisionConflictError: other writers saved the record at each attempt.
        ValidationError: `change` returned another record.
    """
    for attempt in range(_ATTEMPTS):
        read = load()
        changed = change(read)
        if changed.id != read.id:
            message = f"change returned {changed.id} for {read.id}. Return the same record with other fields."
            raise ValidationError(message)
        try:
            return save(changed, read.revision)
        except RevisionConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.001 * 2**attempt)))  # noqa: S311  no secret
    raise AssertionError  # the last attempt returns or raises


def find_repeated(
    reader: Reader, session: Session, run: Run | None, events: list[Event], expected: Expected
) -> list[StoredEvent] | None:
    """Return the stored events of a flush if it was stored before, and only its reply was lost; else None."""
    stored = reader.load_session(session.id)
    if expected.session is not None and (stored is None or not is_repeat(stored, session, expected.session)):
        return None
    if run is not None:
        stored_run = reader.load_run(run.id)
        if stored_run is None:
            return None
        before = stored_run.revision - 1 if expected.run is None else expected.run
        if not is_repeat(stored_run, run, before):
            return None
    if not events:
        return []
    ids, sessions = {event.id for event in events}, {event.session_id for event in events}
    found = reader.find_events(EventQuery(ids=tuple(ids), session_ids=tuple(sessions)))
    known = {(event.session_id, event.id): event for event in found}
    keys = [(event.session_id, event.id) for event in events]
    if not all(key in known and known[key].same_fact(event) for key, event in zip(keys, events, strict=True)):
        return None
    return [known[key] for key in keys]
