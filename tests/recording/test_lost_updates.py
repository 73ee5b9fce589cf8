"""Changes that others make to a session or run while the manager executes the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedProvider, only_session

from asm_core import Event, ExecutionResult, InvalidTransitionError, SessionStore
from asm_core.models import EventType
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from asm_core import Emit, Run, Session


def test_what_others_set_while_a_run_goes_on_is_kept(store: SessionStore) -> None:
    def script(_provider: Any, run: Run, session: Session, _emit: Emit) -> None:
        store.update_session(session.id, lambda read: read.with_tags(["seen"]).with_metadata({"rating": 5}))
        store.update_run(run.id, lambda read: read.next_turn())

    result = SessionManager(store, ScriptedProvider(script)).run_once({})
    session, run = only_session(store), store.get_run(result.run_id)
    assert (session.tags, session.metadata["rating"], session.status) == (("seen",), 5, "completed")
    assert (run.turn_count, run.status) == (1, "completed")


def test_a_change_between_reading_and_storing_the_end_is_kept(store: SessionStore) -> None:
    changes = iter(range(3))
    flush = store.flush

    def intervene(result: ExecutionResult) -> list[Event]:
        number = next(changes, None) if result.expected_session_revision else None
        if number is not None:
            store.update_session(result.session.id, lambda read: read.with_metadata({str(number): number}))
        return flush(result)

    store.flush = intervene  # type: ignore[method-assign]
    SessionManager(store, ScriptedProvider()).run_once({})
    session = only_session(store)
    assert {session.metadata[str(number)] for number in range(3)} == {0, 1, 2}
    assert session.status == "completed"


def test_a_run_that_another_process_ended_is_not_ended_again(store: SessionStore) -> None:
    def script(_provider: Any, run: Run, session: Session, _emit: Emit) -> None:
        ended = store.get_run(run.id).with_status("cancelled")
        event = Event.new(type=EventType.RUN_CANCELLED, session_id=session.id, run_id=run.id)
        store.flush(ExecutionResult(store.get_session(session.id), ended, [event]))

    with pytest.raises(InvalidTransitionError, match="ended as cancelled by another process"):
        SessionManager(store, ScriptedProvider(script)).run_once({})
    session = only_session(store)
    (run,) = store.list_runs(session.id)
    assert (run.status, run.revision) == ("cancelled", 2)
    kinds = [event.type for event in store.get_events(session.id)]
    assert "run_completed" not in kinds
