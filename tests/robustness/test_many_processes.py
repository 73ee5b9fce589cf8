"""Many processes at once on one SQLite file, a fresh one too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from processes import LIMIT

import asm_core as asm_library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROCESSES = 8
ROUNDS = 10

# Forks processes that all begin at the same instant; forking spares each of them half a second of imports.
AT_ONCE = f"""
import os, sys, traceback
import asm_core as asm
from asm_backend_sqlmodel import backend  # loaded before the fork

def at_once(work):
    gate, keeper = os.pipe()
    children = [os.fork() or begin(work, number, gate, keeper) for number in range({PROCESSES})]
    os.close(keeper)
    os.close(gate)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0

def begin(work, number, gate, keeper):
    status = 1
    try:
        os.close(keeper)
        os.read(gate, 1)
        work(number)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
"""
OPENS = """
def work(number):
    with asm.open_backend("sqlmodel", url=url, migrate=True) as opened:
        session = opened.session_store.save_session(asm.Session.new(agent_id="a"))
        opened.session_store.append_event(asm.Event.new(type="message_sent", session_id=session.id))

for url in sys.argv[1:]:
    at_once(work)
"""


def in_processes(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{AT_ONCE}{program}", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")


def schema(backend: Any) -> list[Any]:
    with backend._database.read() as connection:
        return sorted(connection.execute_sql("SELECT type, name, sql FROM sqlite_master").fetchall())


def fresh(place: Path) -> Iterator[str]:
    return (f"sqlite:///{place}/{number}.db" for number in range(ROUNDS))


def test_processes_that_open_a_fresh_file_at_once_all_succeed(url: str, tmp_path: Path) -> None:
    in_processes(OPENS, *fresh(tmp_path))
    with asm_library.open_backend("sqlmodel", url=url, migrate=True) as backend:
        wanted = schema(backend)
    for place in fresh(tmp_path):
        with asm_library.open_backend("sqlmodel", url=place) as backend:
            assert backend.maintenance.health_check() == []
            assert schema(backend) == wanted
            sessions = backend.session_store.list_sessions()
            assert [backend.session_store.get_latest_sequence(one.id) for one in sessions] == [1] * PROCESSES


def test_eight_runs_at_once_make_a_fresh_database_and_are_all_recorded(start: Any, here: Any) -> None:
    counts = "for number in range(500): print(number, flush=True)"
    runs = [start("run", "--agent", f"agent {n}", "--", sys.executable, "-c", counts) for n in range(PROCESSES)]
    ended = [(*run.communicate(), run.returncode) for run in runs]
    assert [(out, status) for out, _, status in ended] == [("".join(f"{n}\n" for n in range(500)), 0)] * PROCESSES
    assert all(": completed, 508 events.\n" in err for _, err, _ in ended)
    sessions = json.loads(here("sessions", "--json").stdout)
    assert sorted(session["agent_id"] for session in sessions) == [f"agent {n}" for n in range(PROCESSES)]
    assert {(session["status"], session["events"]) for session in sessions} == {("completed", 508)}
    assert here("health").stdout == "healthy\n"
