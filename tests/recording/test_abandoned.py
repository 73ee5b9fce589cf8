from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import HookedStore, Outage, ScriptedProvider, log, only_session, types
from processes import Process, ended

import asm_core as asm
from asm_core import Event, Run, Session, SessionStore, StorageConnectionError
from asm_core.ports import ExecutionResult
from asm_core.recording.abandoned import close_abandoned
from asm_core.recording.lifecycle.process_identity import make_stamp
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from pathlib import Path


def dead_stamp() -> dict[str, Any]:
    """Return the stamp of a process before the machine was last started."""
    return {**make_stamp(), "boot": "the one before"}


def living_stamp() -> dict[str, Any]:
    """Return the stamp of another process that is alive."""
    return {**make_stamp(), "pid": os.getppid(), "started": None}


def abandon(store: SessionStore, status: str = "active", runs: int = 1) -> Session:
    """Store a session as a killed process leaves it."""
    session = Session.new(agent_id="a", status=status, metadata={"asm": dead_stamp()})
    store.save_session(session)
    for _ in range(runs):
        store.save_run(Run.new(session_id=session.id, status="running", provider="p"))
    store.append_event(Event.new(type="session_created", session_id=session.id))
    return session


CLOSED = ["session_created", "error_occurred", "run_failed", "session_failed"]


def test_a_killed_process_s_session_is_closed(store: SessionStore) -> None:
    session = abandon(store)
    assert close_abandoned(store) == [session.id]
    (run,) = store.list_runs(session.id)
    assert (run.status, only_session(store).status, types(log(store))) == ("failed", "failed", CLOSED)
    assert run.ended_at is not None


def test_the_log_has_the_reason(store: SessionStore) -> None:
    abandon(store)
    close_abandoned(store)
    event = log(store)[1]
    assert event.data["reason"] == "recorder died"
    assert event.data["error"]["details"]["pid"] == make_stamp()["pid"]


def test_the_events_of_the_run_name_it(store: SessionStore) -> None:
    session = abandon(store)
    close_abandoned(store)
    (run,) = store.list_runs(session.id)
    assert [event.run_id for event in log(store)] == [None, run.id, run.id, None]


def test_a_pending_session_is_closed(store: SessionStore) -> None:
    abandon(store, status="pending", runs=0)
    close_abandoned(store)
    assert (only_session(store).status, types(log(store))) == ("failed", [CLOSED[0], CLOSED[1], CLOSED[3]])


def test_all_of_several_runs_are_closed(store: SessionStore) -> None:
    session = abandon(store, runs=3)
    store.save_run(Run.new(session_id=session.id))
    close_abandoned(store)
    assert {run.status for run in store.list_runs(session.id)} == {"failed"}
    assert types(log(store)) == [CLOSED[0], *CLOSED[1:3] * 4, CLOSED[3]]


def test_closing_again_is_a_no_op(store: SessionStore) -> None:
    abandon(store)
    close_abandoned(store)
    before = log(store)
    assert close_abandoned(store) == []
    assert log(store) == before


@pytest.mark.parametrize("status", ["paused", "completed", "failed", "cancelled"])
def test_a_session_that_is_not_open_is_left_alone(store: SessionStore, status: str) -> None:
    abandon(store, status=status)
    assert close_abandoned(store) == []
    assert types(log(store)) == CLOSED[:1]


def test_a_session_of_the_applications_own_is_left_alone(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider())
    session = manager.activate_session(manager.start_session().id)
    manager.start_run(session.id, {})
    assert close_abandoned(store) == []


def test_a_run_that_goes_on_is_left_alone(store: SessionStore) -> None:
    closed = []
    SessionManager(store, ScriptedProvider(lambda *_: closed.append(close_abandoned(store)))).run_once({})
    assert closed == [[]]
    assert only_session(store).status == "completed"


def test_a_session_of_this_process_whose_end_could_not_be_stored_is_closed(store: SessionStore) -> None:
    outage = Outage("a", math.inf)
    provider = ScriptedProvider(lambda _provider, _run, _session, emit: emit("message_streamed", {"text": "a"}))
    with pytest.raises(StorageConnectionError):
        SessionManager(HookedStore(store, outage), provider, storage_timeout=0.01).run_once({})
    assert only_session(store).status == "active"
    assert close_abandoned(store) == [only_session(store).id]
    assert only_session(store).status == "failed"
    assert log(store)[-3].data["reason"] == "recorder gave up"


def test_all_pages_are_looked_through(store: SessionStore) -> None:
    alive = [Session.new(agent_id="a", status="active", metadata={"asm": living_stamp()}) for _ in range(130)]
    dead = []
    for session in alive:
        store.save_session(session)
        dead.append(abandon(store).id)
    assert sorted(close_abandoned(store)) == sorted(dead)
    assert len(store.list_sessions(status="active")) == 130


def test_two_that_close_at_once_store_each_event_once(store: SessionStore) -> None:
    session = abandon(store)
    first: list[str] = []

    def second_comes_first(name: str, *_: Any) -> None:
        if name == "_flush":
            first.extend(close_abandoned(store))

    assert close_abandoned(HookedStore(store, second_comes_first)) == []
    assert (first, types(log(store))) == ([session.id], CLOSED)


def test_a_session_that_is_deleted_meanwhile_is_passed_over(store: SessionStore) -> None:
    session = abandon(store)

    def delete(name: str, *_: Any) -> None:
        if name == "load_session":
            store.delete_session(session.id)

    assert close_abandoned(HookedStore(store, delete)) == []


def test_eight_threads_close_each_session_once(store: SessionStore) -> None:
    dead = [abandon(store).id for _ in range(20)]
    closed: list[str] = []
    threads = [threading.Thread(target=lambda: closed.extend(close_abandoned(store))) for _ in range(8)]
    for thread in threads:
        thread.start()
    ended(*threads)
    assert sorted(closed) == sorted(dead)
    assert [types(store.get_events(session_id)) for session_id in dead] == [CLOSED] * 20


CLOSES = """
import sys
import asm_core as asm
from asm_core.recording.abandoned import close_abandoned
with asm.open_backend("sqlmodel", url=sys.argv[1]) as backend:
    print("ready", flush=True)
    input()
    print(len(close_abandoned(backend.session_store)))
"""


def test_eight_processes_close_each_session_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/asm.db"
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        dead = [abandon(backend.session_store).id for _ in range(20)]
        command = [sys.executable, "-c", CLOSES, url]
        pipe = subprocess.PIPE
        processes = [Process(command, stdin=pipe, stdout=pipe, text=True) for _ in range(8)]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        counts = [int(process.communicate("\n")[0]) for process in processes]
        assert sum(counts) == 20
        assert [types(backend.session_store.get_events(session_id)) for session_id in dead] == [CLOSED] * 20


def test_what_it_stores_for_a_session_is_stored_at_once(store: SessionStore) -> None:
    abandon(store)
    flushed: list[ExecutionResult] = []

    def note(name: str, *args: Any) -> None:
        if name == "_flush":
            flushed.append(ExecutionResult(*args))

    close_abandoned(HookedStore(store, note))
    assert [(result.session.status, types(result.events)) for result in flushed] == [("failed", CLOSED[1:])]
