from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedProvider, log, only_session, says, texts, types

from asm_core import InvalidTransitionError, ProviderError, RunNotFoundError, SessionNotFoundError, SessionStore
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from asm_core import Emit, Run, Session


@pytest.fixture
def manager(store: SessionStore) -> SessionManager:
    return SessionManager(store, ScriptedProvider(says("hello")))


@pytest.fixture
def active(manager: SessionManager) -> Session:
    return manager.activate_session(manager.start_session(agent_id="a").id)


def test_a_started_session_is_pending(manager: SessionManager, store: SessionStore) -> None:
    session = manager.start_session(agent_id="a", metadata={"k": 1}, context={"c": 2}, tags=["t"])
    assert session == only_session(store)
    assert (session.status, types(log(store))) == ("pending", ["session_created"])


def test_a_session_goes_through_its_steps(manager: SessionManager, store: SessionStore, active: Session) -> None:
    manager.pause_session(active.id)
    manager.activate_session(active.id)
    assert manager.complete_session(active.id) == only_session(store)
    steps = ["created", "started", "paused", "resumed", "completed"]
    assert types(log(store)) == [f"session_{step}" for step in steps]


def test_a_failed_session_has_a_reason(manager: SessionManager, store: SessionStore, active: Session) -> None:
    assert manager.fail_session(active.id, {"message": "no luck"}).status == "failed"
    assert log(store)[-1].data == {"error": {"message": "no luck"}}


def test_a_step_that_is_not_allowed_stores_nothing(manager: SessionManager, store: SessionStore) -> None:
    session = manager.start_session()
    with pytest.raises(InvalidTransitionError):
        manager.complete_session(session.id)
    assert (only_session(store).status, types(log(store))) == ("pending", ["session_created"])


@pytest.mark.parametrize("step", ["activate_session", "pause_session", "complete_session", "fail_session"])
def test_an_unknown_session_is_an_error(manager: SessionManager, step: str) -> None:
    with pytest.raises(SessionNotFoundError):
        getattr(manager, step)("ses_x")


def test_a_run_needs_an_active_session(manager: SessionManager) -> None:
    with pytest.raises(InvalidTransitionError, match="Activate it"):
        manager.start_run(manager.start_session().id, {})


def test_a_started_run_is_pending(manager: SessionManager, store: SessionStore, active: Session) -> None:
    run = manager.start_run(active.id, {"ask": 1}, metadata={"k": 2})
    assert run == store.get_run(run.id)
    assert (run.status, run.input, run.metadata, run.provider) == ("pending", {"ask": 1}, {"k": 2}, "scripted")


def test_an_executed_run_is_recorded(manager: SessionManager, store: SessionStore, active: Session) -> None:
    result = manager.execute_run(manager.start_run(active.id, {"ask": 1}).id)
    kinds = ["session_created", "session_started", "run_started", "message_sent", "message_streamed", "run_completed"]
    assert types(log(store)) == kinds
    assert (result.output, result.session_id) == ({"done": True}, active.id)


def test_the_events_of_an_executed_run_are_its_own(manager: SessionManager, active: Session) -> None:
    first, second = (manager.execute_run(manager.start_run(active.id, {}).id) for _ in range(2))
    assert types(second.events) == ["run_started", "message_sent", "message_streamed", "run_completed"]
    assert {event.run_id for event in first.events} == {first.run_id}


def test_the_session_stays_active(store: SessionStore) -> None:
    def fails(*_: Any) -> None:
        message = "no luck"
        raise ProviderError(message)

    manager = SessionManager(store, ScriptedProvider(fails))
    session = manager.activate_session(manager.start_session().id)
    run = manager.start_run(session.id, {})
    with pytest.raises(ProviderError):
        manager.execute_run(run.id)
    assert (store.get_run(run.id).status, only_session(store).status) == ("failed", "active")


def test_a_run_is_executed_once(manager: SessionManager, active: Session) -> None:
    run = manager.start_run(active.id, {})
    manager.execute_run(run.id)
    with pytest.raises(InvalidTransitionError):
        manager.execute_run(run.id)


def test_a_run_is_not_executed_twice_at_once(store: SessionStore) -> None:
    def script(_provider: Any, run: Run, _session: Session, _emit: Emit) -> None:
        store.save_run(pending)
        with pytest.raises(InvalidTransitionError, match="already"):
            manager.execute_run(run.id)

    manager = SessionManager(store, ScriptedProvider(script))
    pending = manager.start_run(manager.activate_session(manager.start_session().id).id, {})
    assert manager.execute_run(pending.id).output == {"done": True}


def test_an_unknown_run_is_an_error(manager: SessionManager) -> None:
    with pytest.raises(RunNotFoundError):
        manager.execute_run("run_x")


def test_events_are_passed_on_after_they_are_stored(manager: SessionManager, active: Session) -> None:
    seen: list[Any] = []
    result = manager.execute_run(manager.start_run(active.id, {}).id, on_event=seen.append)
    assert seen == list(result.events)
    assert texts(seen) == ["hello"]


def test_steps_join_the_callers_transaction(backend: Any) -> None:
    manager = SessionManager(backend.session_store, ScriptedProvider())
    with suppress(ZeroDivisionError), backend.transaction():
        manager.activate_session(manager.start_session().id)
        raise ZeroDivisionError
    assert backend.session_store.list_sessions() == []
