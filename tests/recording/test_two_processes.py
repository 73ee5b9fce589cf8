"""A run and a session have one beginning and one end, whatever several processes do to them."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ENOUGH, HookedStore, ScriptedProvider, log, only_session, says, types
from processes import Process

import asm_core as asm
from asm_core import InvalidTransitionError, ProviderError, SessionStore, ValidationError
from asm_core.recording.abandoned import close_abandoned
from asm_core.recording.lifecycle.process_identity import make_stamp
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asm_core import Emit, Run, Session

RUN_ENDS = {"run_completed", "run_failed", "run_cancelled", "run_timeout"}
SESSION_ENDS = {"session_completed", "session_failed", "session_cancelled"}


def ends(store: SessionStore) -> list[str]:
    return [kind for kind in types(log(store)) if kind in RUN_ENDS | SESSION_ENDS]


def pending_run(store: SessionStore) -> Run:
    manager = SessionManager(store, ScriptedProvider())
    return manager.start_run(manager.activate_session(manager.start_session().id).id, {})


def before_flush(store: SessionStore, status: str, act: Callable[[], object]) -> Any:
    """Return the store as a manager sees it in front of which another one acts, once, before a flush of this status."""
    left = [act]

    def hook(name: str, *args: Any) -> None:
        if name == "_flush" and left and status in {args[0].status, args[1] and args[1].status}:
            left.pop()()

    return HookedStore(store, hook)


@pytest.mark.parametrize("begin", ["run_once", "execute_run"])
def test_an_executing_run_carries_the_stamp_of_its_process(store: SessionStore, begin: str) -> None:
    seen = []

    def script(_provider: Any, run: Run, _session: Session, _emit: Emit) -> None:
        seen.append(store.get_run(run.id).metadata["asm"])

    manager = SessionManager(store, ScriptedProvider(script))
    if begin == "run_once":
        manager.run_once({})
    else:
        manager.execute_run(pending_run(store).id)
    assert seen == [make_stamp()]


@pytest.mark.parametrize("method", ["start_session", "start_run"])
def test_the_key_of_the_stamp_cannot_be_given(store: SessionStore, method: str) -> None:
    manager = SessionManager(store, ScriptedProvider())
    session = manager.activate_session(manager.start_session().id)
    arguments = (session.id, {}) if method == "start_run" else ()
    with pytest.raises(ValidationError, match="'asm'"):
        getattr(manager, method)(*arguments, metadata={"asm": 1})


EXECUTES = """
import sys
import asm_core as asm
from asm_core.recording.manager import SessionManager

class Waits(asm.Provider):
    name = "waits"
    def execute(self, run, session, emit):
        print("executing", flush=True)
        sys.stdin.readline()
        return asm.ProviderResult(output={})
    def cancel(self, run_id):
        pass

with asm.open_backend("sqlmodel", url=sys.argv[1]) as backend:
    SessionManager(backend.session_store, Waits()).execute_run(sys.argv[2])
"""


@pytest.fixture
def executed_elsewhere(tmp_path: Path) -> Any:
    """Return a store, a run that another process executes, and that process."""
    url = f"sqlite:///{tmp_path}/shared.db"
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        run = pending_run(backend.session_store)
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", EXECUTES, url, run.id]
        with Process(command, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "executing\n"
            yield backend.session_store, run, process
            process.kill()


def test_a_run_of_a_live_process_cannot_be_executed_or_closed(executed_elsewhere: Any) -> None:
    store, run, process = executed_elsewhere
    manager = SessionManager(store, ScriptedProvider())
    with pytest.raises(InvalidTransitionError, match=f"already running in process {process.pid}"):
        manager.execute_run(run.id)
    assert close_abandoned(store) == []
    process.communicate("end\n", timeout=ENOUGH)
    assert ends(store) == ["run_completed"]


@pytest.mark.parametrize("close", ["cancel_run", "close_abandoned"])
def test_a_run_of_a_killed_process_can_be_closed(executed_elsewhere: Any, close: str) -> None:
    store, run, process = executed_elsewhere
    process.kill()
    process.wait(ENOUGH)
    if close == "cancel_run":
        SessionManager(store, ScriptedProvider()).cancel_run(run.id)
    else:
        assert close_abandoned(store) == [run.id]
    assert ends(store) == ["run_cancelled" if close == "cancel_run" else "run_failed"]
    assert (only_session(store).status, store.get_run(run.id).error is None) == ("active", False)


def test_a_run_of_an_unknown_process_is_asked_to_end(store: SessionStore) -> None:
    run = pending_run(store)
    stamp = {**make_stamp(), "host": "elsewhere"}
    store.save_run(asm.Run.from_dict({**run.with_status("running").to_dict(), "metadata": {"asm": stamp}}))
    SessionManager(store, ScriptedProvider()).cancel_run(run.id)
    assert (ends(store), types(log(store))[-1]) == ([], "asm.cancel_requested")


def test_the_second_of_two_executors_is_refused(store: SessionStore) -> None:
    run = pending_run(store)
    first = SessionManager(store, ScriptedProvider())
    provider = ScriptedProvider()
    second = SessionManager(before_flush(store, "running", lambda: first.execute_run(run.id)), provider)
    with pytest.raises(InvalidTransitionError):
        second.execute_run(run.id)
    assert not provider.started.is_set()
    assert ends(store) == ["run_completed"]


def test_a_run_that_is_cancelled_before_it_begins_does_not_begin(store: SessionStore) -> None:
    run = pending_run(store)
    other = SessionManager(store, ScriptedProvider())
    provider = ScriptedProvider()
    manager = SessionManager(before_flush(store, "running", lambda: other.cancel_run(run.id)), provider)
    with pytest.raises(InvalidTransitionError):
        manager.execute_run(run.id)
    assert not provider.started.is_set()
    assert (ends(store), store.get_run(run.id).status) == (["run_cancelled"], "cancelled")


def test_a_cancellation_that_finds_the_run_begun_asks_its_executor(store: SessionStore) -> None:
    run = pending_run(store)
    refused = []

    def script(provider: ScriptedProvider, *_: Any) -> None:
        provider.wait_for_cancel()

    executor = SessionManager(store, ScriptedProvider(script))

    def execute() -> None:
        with pytest.raises(ProviderError) as raised:
            executor.execute_run(run.id)
        refused.append(raised.value.details["cancelled"])

    thread = threading.Thread(target=execute)

    def begin() -> None:
        thread.start()
        store.get_events(run.session_id, type="run_started", wait_timeout=ENOUGH)

    SessionManager(before_flush(store, "cancelled", begin), ScriptedProvider()).cancel_run(run.id)
    thread.join(ENOUGH)
    assert (ends(store), refused) == (["run_cancelled"], [True])


def end_run(store: SessionStore, run: Run) -> None:
    """End a run as cancelled, as another process does that does not see the executor."""
    found = store.get_run(run.id)
    unstamped = asm.Run.from_dict({**found.to_dict(), "metadata": {}})
    store.save_run(unstamped)
    SessionManager(store, ScriptedProvider()).cancel_run(run.id)


@pytest.mark.parametrize("begin", ["run_once", "execute_run"])
def test_a_run_that_was_ended_elsewhere_is_not_ended_again(store: SessionStore, begin: str) -> None:
    def script(_provider: Any, run: Run, _session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "hello"})
        end_run(store, run)

    provider = ScriptedProvider(script)
    manager = SessionManager(store, provider)
    execute, given = (manager.run_once, {}) if begin == "run_once" else (manager.execute_run, pending_run(store).id)
    with pytest.raises(InvalidTransitionError, match="was ended as cancelled by another process"):
        execute(given)
    assert provider.cancelled.is_set()
    assert ends(store) == ["run_cancelled"] + ["session_cancelled"] * (begin == "run_once")
    (run,) = store.list_runs(only_session(store).id)
    assert (run.status, run.output) == ("cancelled", None)


def test_a_session_that_is_ended_during_its_end_has_one_end(store: SessionStore) -> None:
    other = SessionManager(store, ScriptedProvider())
    hooked = before_flush(store, "completed", lambda: other.fail_session(only_session(store).id))
    SessionManager(hooked, ScriptedProvider(says("hello"))).run_once({})
    assert ends(store) == ["session_failed", "run_completed"]
    assert only_session(store).status == "failed"


def test_two_ends_of_a_session_at_once_store_one(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider())
    session = manager.activate_session(manager.start_session().id)
    hooked = before_flush(store, "failed", lambda: manager.complete_session(session.id))
    with pytest.raises(InvalidTransitionError, match=r"ended by another process|because it has ended"):
        SessionManager(hooked, ScriptedProvider()).fail_session(session.id)
    assert (ends(store), only_session(store).status) == (["session_completed"], "completed")


def test_closing_what_was_cancelled_meanwhile_stores_no_second_end(store: SessionStore) -> None:
    run = pending_run(store)
    running = run.with_status("running")
    stamp = {**make_stamp(), "pid": 2**22 + 1}
    store.save_run(asm.Run.from_dict({**running.to_dict(), "metadata": {"asm": stamp}}))
    other = SessionManager(store, ScriptedProvider())
    assert close_abandoned(before_flush(store, "failed", lambda: other.cancel_run(run.id))) == []
    assert ends(store) == ["run_cancelled"]


def test_a_run_of_a_soft_deleted_session_is_left_alone(store: SessionStore) -> None:
    run = pending_run(store)
    stamp = {**make_stamp(), "pid": 2**22 + 1}
    store.save_run(asm.Run.from_dict({**run.with_status("running").to_dict(), "metadata": {"asm": stamp}}))
    session = only_session(store)
    deleted = asm.Session.from_dict({**session.to_dict(), "deleted_at": session.created_at})
    store.restore_session(deleted, replace=True)
    assert close_abandoned(store) == []
