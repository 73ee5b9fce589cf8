from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ENOUGH, HookedStore, ScriptedProvider, log, only_session, types, waits

from asm_core import ProviderError, RunNotFoundError, SessionStore, StorageConnectionError
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from asm_core import Emit, Event, Run, Session

CANCELLED = ["run_cancelled", "session_cancelled"]


def run_of(store: SessionStore) -> Run:
    (run,) = store.list_runs(only_session(store).id)
    return run


def press_ctrl_c() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def interrupted(provider: ScriptedProvider, *_: Any) -> None:
    """Press Ctrl-C, and wait for the consequences."""
    press_ctrl_c()
    provider.wait_for_cancel()


def test_cancelling_from_another_thread_ends_the_run(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider(waits))

    def on_event(event: Event) -> None:
        if event.type == "run_started":
            threading.Thread(target=manager.cancel_run, args=(event.run_id,)).start()

    with pytest.raises(ProviderError, match="was cancelled") as raised:
        manager.run_once({}, on_event=on_event)
    assert (raised.value.details["cancelled"], raised.value.details["run_id"]) == (True, run_of(store).id)
    assert types(log(store))[-2:] == CANCELLED


def test_cancelling_before_the_provider_began_spares_it(store: SessionStore) -> None:
    provider = ScriptedProvider()
    manager = SessionManager(store, provider)

    def on_event(event: Event) -> None:
        if event.type == "run_started":
            manager.cancel_run(event.run_id or "")

    with pytest.raises(ProviderError, match="was cancelled"):
        manager.run_once({}, on_event=on_event)
    assert not provider.started.is_set()
    assert (run_of(store).status, only_session(store).status) == ("cancelled", "cancelled")


def test_cancelling_an_ended_run_is_a_no_op(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider())
    manager.cancel_run(manager.run_once({}).run_id)
    assert run_of(store).status == "completed"


def test_cancelling_an_unknown_run_is_an_error(store: SessionStore) -> None:
    with pytest.raises(RunNotFoundError):
        SessionManager(store, ScriptedProvider()).cancel_run("run_x")


def test_another_manager_of_the_process_can_cancel_a_run(store: SessionStore) -> None:
    def script(provider: ScriptedProvider, run: Run, _session: Session, _emit: Emit) -> None:
        SessionManager(store, ScriptedProvider()).cancel_run(run.id)
        provider.wait_for_cancel()

    with pytest.raises(ProviderError, match="cancelled by another process or manager"):
        SessionManager(store, ScriptedProvider(script)).run_once({})
    assert run_of(store).status == "cancelled"


@pytest.mark.parametrize("status", ["pending", "running"])
def test_cancelling_a_run_without_an_executor_records_it(store: SessionStore, status: str) -> None:
    manager = SessionManager(store, ScriptedProvider())
    session = manager.start_session()
    manager.activate_session(session.id)
    run = manager.start_run(session.id, {})
    if status == "running":
        store.save_run(run.with_status("running"))
    manager.cancel_run(run.id)
    assert (run_of(store).status, only_session(store).status) == ("cancelled", "active")
    assert types(log(store))[-1] == "run_cancelled"


def test_an_interruption_is_recorded_and_raised(store: SessionStore) -> None:
    with pytest.raises(KeyboardInterrupt):
        SessionManager(store, ScriptedProvider(interrupted)).run_once({})
    assert (run_of(store).status, only_session(store).status) == ("cancelled", "cancelled")
    assert types(log(store))[-2:] == CANCELLED


def test_a_second_interruption_is_raised_at_once_and_the_first_recorded_all_the_same(store: SessionStore) -> None:
    released = threading.Event()

    def script(provider: ScriptedProvider, *_: Any) -> None:
        interrupted(provider)
        press_ctrl_c()
        assert released.wait(ENOUGH)

    others = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        SessionManager(store, ScriptedProvider(script)).run_once({})
    assert only_session(store).status == "active"
    released.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(ENOUGH)
    assert types(log(store))[-2:] == CANCELLED


def test_an_interruption_reports_that_it_could_not_be_recorded(store: SessionStore) -> None:
    def down(name: str, *args: Any) -> None:
        if name == "_flush" and args[1].status == "cancelled":
            message = "The database is away."
            raise StorageConnectionError(message)

    with pytest.raises(KeyboardInterrupt) as raised:
        SessionManager(HookedStore(store, down), ScriptedProvider(interrupted), storage_timeout=0).run_once({})
    assert isinstance(raised.value.__cause__, StorageConnectionError)


INTERRUPTED_AT_RANDOM = """
import random, signal, sys, threading, time
import asm_core as asm
from asm_core.recording.manager import SessionManager

class Waits(asm.Provider):
    name = "waits"
    def __init__(self):
        self.cancelled = threading.Event()
    def execute(self, run, session, emit):
        for number in range(20):
            emit("message_streamed", {"text": "x"})
            self.cancelled.wait(0.001)
        return asm.ProviderResult(output={})
    def cancel(self, run_id):
        self.cancelled.set()

left = 0

def interrupt(*_):
    global left
    if left:
        left -= 1
        raise KeyboardInterrupt

def interrupted(manager):
    global left
    try:
        try:
            left = random.randint(1, 4)
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.03), random.uniform(0.0001, 0.002))
            manager.run_once({})
            return False
        finally:
            while left:
                try:
                    left = 0
                except KeyboardInterrupt:
                    pass
    except KeyboardInterrupt:
        return True

signal.signal(signal.SIGALRM, interrupt)
random.seed(1)
with asm.open_backend("memory") as backend:
    hit = sum(interrupted(SessionManager(backend.session_store, Waits())) for _ in range(int(sys.argv[1])))
    signal.setitimer(signal.ITIMER_REAL, 0)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(30)
            assert not thread.is_alive(), thread
    assert hit > int(sys.argv[1]) // 3, hit
    left_open = backend.session_store.list_sessions(status=["pending", "active"])
    assert not left_open, left_open
    for session in backend.session_store.list_sessions():
        assert backend.session_store.get_active_run(session.id) is None
"""


def test_interruptions_at_any_instant_leave_nothing_open(soak: int) -> None:
    command = [sys.executable, "-c", INTERRUPTED_AT_RANDOM, str(150 * soak)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100 * soak)
    assert done.returncode == 0, done.stderr
