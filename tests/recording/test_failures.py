from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedProvider, log, only_session, says, types, waits

from asm_core import ProviderError, ProviderResult, SessionStore, ValidationError
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from asm_core import Emit, Event, Run, Session


def raises(error: BaseException) -> ScriptedProvider:
    def script(*_: object) -> None:
        raise error

    return ScriptedProvider(script)


def ends(store: SessionStore) -> tuple[str, str, list[str]]:
    session = only_session(store)
    (run,) = store.list_runs(session.id)
    return run.status, session.status, types(log(store))[-2:]


def cancels_itself(manager: SessionManager, provider: ScriptedProvider, run: Run, *_: Any) -> None:
    manager.cancel_run(run.id)
    provider.wait_for_cancel()


FAILED = ("failed", "failed", ["run_failed", "session_failed"])


def test_a_provider_error_is_recorded_and_raised(store: SessionStore) -> None:
    with pytest.raises(ProviderError, match="no luck"):
        SessionManager(store, raises(ProviderError("no luck", details={"exit_code": 3}))).run_once({})
    assert ends(store) == FAILED


def test_a_provider_error_names_its_session_and_run(store: SessionStore) -> None:
    with pytest.raises(ProviderError) as raised:
        SessionManager(store, raises(ProviderError("no luck", details={"exit_code": 3}))).run_once({})
    session = only_session(store)
    (run,) = store.list_runs(session.id)
    assert raised.value.details == {"exit_code": 3, "session_id": session.id, "run_id": run.id}


def test_the_error_stands_in_run_and_events(store: SessionStore) -> None:
    with pytest.raises(ProviderError):
        SessionManager(store, raises(ProviderError("no luck", details={"exit_code": 3}))).run_once({})
    (run,) = store.list_runs(only_session(store).id)
    error = {"code": "provider_error", "message": "no luck", "details": {"exit_code": 3}, "retryable": False}
    assert [run.error, *(event.data["error"] for event in log(store)[-2:])] == [error] * 3


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3), KeyboardInterrupt(), OSError(2, "x", "\udcff")])
def test_any_other_exception_of_a_provider_is_recorded_and_raised(store: SessionStore, error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        SessionManager(store, raises(error)).run_once({})
    assert raised.value is error
    assert ends(store) == FAILED


def test_an_error_that_json_cannot_hold_is_recorded_as_text(store: SessionStore) -> None:
    with pytest.raises(ProviderError):
        SessionManager(store, raises(ProviderError("no \udcff luck", details={"value": math.nan}))).run_once({})
    (run,) = store.list_runs(only_session(store).id)
    assert run.error is not None
    assert (run.error["message"], run.error["details"]) == ("no \\udcff luck", {"repr": "{'value': nan}"})


@pytest.mark.parametrize("result", [3, ProviderResult(output={"x": math.nan}), ProviderResult(output=[])])
def test_a_result_that_cannot_be_kept_fails_the_run(store: SessionStore, result: object) -> None:
    with pytest.raises(ValidationError):
        SessionManager(store, ScriptedProvider(lambda *_: result)).run_once({})
    assert ends(store) == FAILED


def test_an_event_that_cannot_be_kept_is_refused_when_it_is_handed_over(store: SessionStore) -> None:
    def script(_provider: Any, _run: Run, _session: Session, emit: Emit) -> None:
        with pytest.raises(ValidationError):
            emit("no_such_type", {})
        with pytest.raises(ValidationError):
            emit("message_streamed", {"x": math.nan})

    SessionManager(store, ScriptedProvider(script)).run_once({})
    assert "message_streamed" not in types(log(store))


def test_an_event_after_the_end_is_refused(store: SessionStore) -> None:
    kept = []
    SessionManager(store, ScriptedProvider(lambda *args: kept.append(args[3]))).run_once({})
    with pytest.raises(ProviderError, match="has ended"):
        kept[0]("message_streamed", {})


def test_a_timeout_ends_the_run(store: SessionStore) -> None:
    with pytest.raises(ProviderError) as raised:
        SessionManager(store, ScriptedProvider(waits)).run_once({}, timeout=0.01)
    assert raised.value.details["timeout"] == 0.01
    assert ends(store) == ("timeout", "failed", ["run_timeout", "session_failed"])


def test_what_a_cancelled_provider_returns_is_kept(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider(lambda *args: cancels_itself(manager, *args)))
    with pytest.raises(ProviderError, match="cancelled"):
        manager.run_once({})
    (run,) = store.list_runs(only_session(store).id)
    assert run.output == {"done": True}


@pytest.mark.parametrize("at", ["session_created", "message_streamed"])
def test_an_exception_of_on_event_fails_the_run_and_is_raised(store: SessionStore, at: str) -> None:
    def on_event(event: Event) -> None:
        if event.type == at:
            message = "full disk"
            raise OSError(message)

    def script(provider: ScriptedProvider, _run: Run, _session: Session, emit: Emit) -> None:
        emit("message_streamed", {})
        provider.wait_for_cancel()

    with pytest.raises(OSError, match="full disk"):
        SessionManager(store, ScriptedProvider(script)).run_once({}, on_event=on_event)
    assert ends(store) == FAILED


def test_on_event_hears_no_more_after_its_exception(store: SessionStore) -> None:
    seen = []

    def on_event(event: Event) -> None:
        seen.append(event)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  it has no message
        SessionManager(store, ScriptedProvider(says("a"))).run_once({}, on_event=on_event)
    assert len(seen) == 1


def test_an_exception_of_on_event_at_the_very_end_is_raised(store: SessionStore) -> None:
    def on_event(event: Event) -> None:
        if event.type == "session_completed":
            message = "too late"
            raise ValueError(message)

    with pytest.raises(ValueError, match="too late"):
        SessionManager(store, ScriptedProvider()).run_once({}, on_event=on_event)
    assert ends(store) == ("completed", "completed", ["run_completed", "session_completed"])


def test_a_provider_that_fails_at_cancelling_is_waited_for(store: SessionStore) -> None:
    class Stubborn(ScriptedProvider):
        def cancel(self, run_id: str) -> None:
            super().cancel(run_id)
            raise ValueError

    manager = SessionManager(store, Stubborn(lambda *args: cancels_itself(manager, *args)))
    with pytest.raises(ProviderError, match="cancelled"):
        manager.run_once({})
    assert ends(store)[0] == "cancelled"


def test_a_cancellation_that_came_too_early_is_repeated(store: SessionStore) -> None:
    class Late(ScriptedProvider):
        asked = 0

        def cancel(self, run_id: str) -> None:
            self.asked += 1
            if self.asked == 3:
                super().cancel(run_id)

    manager = SessionManager(store, Late(lambda *args: cancels_itself(manager, *args)))
    with pytest.raises(ProviderError, match="cancelled"):
        manager.run_once({})
    assert ends(store)[0] == "cancelled"
