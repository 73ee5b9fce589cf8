"""Storage of the beginning of a run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from asm_core.errors import AsmError
from asm_core.ports import ExecutionResult

if TYPE_CHECKING:
    from asm_core.models import StoredEvent
    from asm_core.ports import SessionStore
    from asm_core.recording.execution.options import Options


def store_opening(
    session_store: SessionStore, options: Options, opening: ExecutionResult
) -> tuple[ExecutionResult, list[StoredEvent]]:
    """Store the beginning of a run; return it with the session as it is stored, and its events.

    A new session is stored first if values of the run become artifacts, because each artifact belongs to a session. If
    an artifact cannot be stored, the session is removed again, and nothing is stored.

    Raises:
        StorageError: an artifact could not be stored, or the store failed.
    """
    first: list[StoredEvent] = []
    if opening.expected_session_revision == 0 and options.offloading.is_large(opening):
        opening, first = _store_session(session_store, options, opening)
    try:
        stored = options.stored(opening)
    except BaseException:
        if first:
            with contextlib.suppress(AsmError):
                session_store.delete_session(opening.session.id)
        raise
    events = first + session_store.flush(stored)
    session = msgspec.structs.replace(opening.session, revision=(opening.expected_session_revision or 0) + 1)
    return msgspec.structs.replace(opening, session=session), events


def _store_session(
    session_store: SessionStore, options: Options, opening: ExecutionResult
) -> tuple[ExecutionResult, list[StoredEvent]]:
    """Store a new session with its own events; return what is left, and these events."""
    own = [event for event in opening.events if event.run_id is None]
    session = ExecutionResult(opening.session, None, own, expected_session_revision=0)
    events = session_store.flush(options.redaction.result(session))
    rest = [event for event in opening.events if event.run_id is not None]
    return msgspec.structs.replace(opening, events=rest, expected_session_revision=1), events
