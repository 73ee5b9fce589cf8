"""What happens when the store fails in the middle of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ENOUGH, HookedStore, Outage, ScriptedProvider, log, only_session, says, texts, types

from asm_core import AsmError, QueryError, SessionNotFoundError, StorageConnectionError, StorageError
from asm_core.models import EventType
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from asm_core import Emit, Event, Run, Session, SessionStore

FIVE = list("abcde")


def manager(store: SessionStore, outage: Any, provider: ScriptedProvider, patience: float = 30.0) -> SessionManager:
    return SessionManager(HookedStore(store, outage), provider, storage_timeout=patience)


def two_and_three(store: SessionStore) -> ScriptedProvider:
    """Return a provider that says two letters, and three more at once when those are stored."""

    def script(provider: ScriptedProvider, _run: Run, session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "a"})
        emit("message_streamed", {"text": "b"})
        assert store.get_events(session.id, after=5, wait_timeout=ENOUGH)
        emit.many(EventType.MESSAGE_STREAMED, [{"text": text} for text in "cde"], 3)
        provider.wait_for_cancel()

    return ScriptedProvider(script)


class LosesOneAnswer(HookedStore):
    """Stores what one call of a primitive asks for, and fails all the same: the connection broke at the commit."""

    def __init__(self, inner: SessionStore, name: str, call: int) -> None:
        super().__init__(inner, lambda *_: None)
        self.name, self.left = name, call

    def _lose(self, name: str, stored: list[Event]) -> list[Event]:
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                message = "The connection broke."
                raise StorageConnectionError(message)
        return stored

    def _append(self, *args: Any) -> list[Event]:
        return self._lose("_append", super()._append(*args))

    def _flush(self, *args: Any) -> list[Event]:
        return self._lose("_flush", super()._flush(*args))


@pytest.mark.parametrize("times", [1, 3])
def test_an_outage_that_ends_loses_nothing(store: SessionStore, times: int) -> None:
    manager(store, Outage("b", times), ScriptedProvider(says(*FIVE))).run_once({})
    assert texts(log(store)) == FIVE
    assert only_session(store).status == "completed"


@pytest.mark.parametrize(("name", "call"), [("_append", 1), ("_flush", 2)])
def test_an_outage_at_a_commit_stores_nothing_twice(store: SessionStore, name: str, call: int) -> None:
    seen: list[Event] = []
    lossy = LosesOneAnswer(store, name, call)
    SessionManager(lossy, ScriptedProvider(says(*FIVE))).run_once({}, on_event=seen.append)
    assert lossy.left <= 0
    assert texts(seen) == FIVE
    assert seen == log(store)
    assert types(seen)[-2:] == ["run_completed", "session_completed"]


def test_an_outage_that_does_not_end_is_raised(store: SessionStore) -> None:
    with pytest.raises(StorageConnectionError) as raised:
        manager(store, Outage("c", math.inf), two_and_three(store), patience=0.01).run_once({})
    details = raised.value.details
    assert (details["session_id"], details["events_not_recorded"]) == (only_session(store).id, 3)


def test_what_was_recorded_before_stays(store: SessionStore) -> None:
    with pytest.raises(StorageConnectionError):
        manager(store, Outage("c", math.inf), two_and_three(store), patience=0.01).run_once({})
    assert texts(log(store)) == ["a", "b"]


def test_a_silent_run_is_ended_too(store: SessionStore) -> None:
    def script(provider: ScriptedProvider, _run: Run, _session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "a"})
        provider.wait_for_cancel()

    provider = ScriptedProvider(script)
    with pytest.raises(StorageConnectionError):
        manager(store, Outage("a", math.inf), provider, patience=0.01).run_once({})
    assert provider.cancelled.is_set()


def test_emit_after_a_failure_raises(store: SessionStore) -> None:
    told = []

    def script(provider: ScriptedProvider, _run: Run, _session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "a"})
        provider.wait_for_cancel()
        with pytest.raises(StorageError) as raised:
            emit("message_streamed", {"text": "b"})
        told.append(raised.value)

    with pytest.raises(StorageConnectionError) as raised:
        manager(store, Outage("a", math.inf), ScriptedProvider(script), patience=0.01).run_once({})
    assert told == [raised.value]
    assert raised.value.details["events_not_recorded"] == 2


@pytest.mark.parametrize("error", [QueryError("odd"), ValueError("a bug"), SessionNotFoundError("x")])
def test_an_error_that_repeating_does_not_help_ends_the_run_at_once(store: SessionStore, error: Exception) -> None:
    outage = Outage("a", 1, error)
    with pytest.raises(type(error)) as raised:
        manager(store, outage, ScriptedProvider(says(*FIVE))).run_once({})
    assert raised.value is error


def test_run_and_session_are_closed_if_the_store_is_back_by_then(store: SessionStore) -> None:
    error = QueryError("odd")
    with pytest.raises(QueryError):
        manager(store, Outage("a", 1, error), ScriptedProvider(says("a"))).run_once({})
    session = only_session(store)
    (run,) = store.list_runs(session.id)
    assert (run.status, session.status) == ("failed", "failed")
    assert types(log(store))[-2:] == ["run_failed", "session_failed"]
    assert run.error is not None
    assert run.error["details"] == {"events_not_recorded": 1}


def test_a_store_that_fails_at_the_start_is_raised_at_once(store: SessionStore) -> None:
    def down(name: str, *_: Any) -> None:
        if name == "_flush":
            message = "The database is away."
            raise StorageConnectionError(message)

    provider = ScriptedProvider()
    with pytest.raises(StorageConnectionError):
        manager(store, down, provider).run_once({})
    assert not provider.started.is_set()


@pytest.mark.parametrize("patience", [0.01, 30])
def test_an_outage_at_the_end_is_retried_until_the_timeout(store: SessionStore, patience: float) -> None:
    left = [3]

    def outage(name: str, *args: Any) -> None:
        if name == "_flush" and args[1].status == "completed" and left[0] > 0:
            left[0] -= 1
            message = "The database is away."
            raise StorageConnectionError(message)

    job = manager(store, outage, ScriptedProvider(says("a")), patience)
    if patience > 1:
        job.run_once({})
        assert only_session(store).status == "completed"
    else:
        with pytest.raises(StorageConnectionError) as raised:
            job.run_once({})
        assert raised.value.details["session_id"] == only_session(store).id


def test_a_session_deleted_during_the_run_is_an_error(store: SessionStore) -> None:
    def script(_provider: Any, _run: Run, session: Session, emit: Emit) -> None:
        store.delete_session(session.id)
        emit("message_streamed", {"text": "a"})

    with pytest.raises(AsmError, match="No session"):
        SessionManager(store, ScriptedProvider(script)).run_once({})
    assert store.list_sessions() == []
