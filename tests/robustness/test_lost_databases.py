"""What becomes of ``asm run`` when its database goes away in the middle: what was recorded stays, and it says so."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event

import asm_core as asm_library
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The installed command, but for its patience with a store that cannot be reached: half a second instead of thirty.
HASTY = """
import functools, sys
from asm_core.cli import main
from asm_core.cli.commands import run
run.SessionManager = functools.partial(run.SessionManager, storage_timeout=0.5)
sys.exit(main())
"""
SAYS = """
import pathlib, sys
print("one", flush=True)
open("go").read()
print("two", flush=True)
pathlib.Path("said").touch()
"""
WAITS = f"{SAYS}\nopen('go').read()"
FILES = ("asm.db", "asm.db-wal", "asm.db-shm")


class Run:
    """A run that has said its first line, and says its second one when it is let go."""

    def __init__(self, start: Callable[..., Any], place: Path, program: str, **options: Any) -> None:
        self.place = place
        os.mkfifo(place / "go")
        hasty = {} if program == SAYS else {"program": (sys.executable, "-c", HASTY)}
        self.process = start("run", "--agent", "a", "--", sys.executable, "-c", program, **hasty, **options)
        assert self.process.stdout.readline() == "one\n"

    def go(self) -> None:
        (self.place / "go").write_text("")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.stdout.read(), self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert "Traceback" not in err
        return self.process.wait(), out, err


@pytest.fixture
def begin(start: Callable[..., Any], tmp_path: Path) -> Callable[..., Run]:
    (tmp_path / "asm.toml").write_text("busy_timeout = 0.1\n")
    return lambda program, **options: Run(start, tmp_path, program, **options)


@pytest.fixture
def sessions(here: Callable[..., Any]) -> Callable[[], list[dict[str, Any]]]:
    """Return all sessions, with their logs."""

    def read() -> list[dict[str, Any]]:
        found = json.loads(here("sessions", "--json").stdout)
        return [json.loads(here("show", session["id"], "--json").stdout) for session in found]

    return read


def texts(session: dict[str, Any]) -> list[str]:
    return [
        event["data"]["delta"].removesuffix("\n") for event in session["events"] if event["type"] == "message_streamed"
    ]


def move(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for name in FILES:
        if (source / name).exists():
            (source / name).rename(target / name)


def remove(place: Path) -> None:
    for name in FILES:
        (place / name).unlink(missing_ok=True)


def lock(place: Path) -> closing[sqlite3.Connection]:
    connection = sqlite3.connect(place / "asm.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return closing(connection)


def test_a_file_that_is_brought_back_has_lost_nothing(
    begin: Any, sessions: Any, here: Any, tmp_path: Path, until: Any
) -> None:
    run = begin(SAYS)
    move(tmp_path, tmp_path / "away")
    run.go()
    until((tmp_path / "said").exists)
    move(tmp_path / "away", tmp_path)
    status, out, err = run.end()
    assert (status, out) == (0, "two\n")
    assert ": completed, " in err
    (session,) = sessions()
    assert (session["session"]["status"], texts(session)) == ("completed", ["one", "two"])
    assert here("health").stdout == "healthy\n"


def test_a_file_that_is_not_brought_back_ends_the_command(begin: Any, sessions: Any, here: Any, tmp_path: Path) -> None:
    run = begin(WAITS)
    move(tmp_path, tmp_path / "away")
    run.go()
    status, out, err = run.end()
    assert (status, out) == (69, "")
    assert "The command was ended, because up to 2 of its events could not be recorded." in err
    assert err.endswith("was removed or replaced while it was in use. Restore it and retry.\n")
    assert not (tmp_path / "asm.db").exists()
    move(tmp_path / "away", tmp_path)
    assert (here("health").stdout, here("maintain").exit_code) == ("healthy\n", 0)
    (session,) = sessions()
    assert (session["session"]["status"], texts(session)) == ("failed", ["one"])


def test_a_database_in_place_of_the_other_is_left_alone(begin: Any, sessions: Any, here: Any, tmp_path: Path) -> None:
    run = begin(WAITS)
    here("db", "upgrade", "--url", f"sqlite:///{tmp_path}/other.db")
    remove(tmp_path)
    (tmp_path / "other.db").rename(tmp_path / "asm.db")
    run.go()
    status, out, err = run.end()
    assert (status, out) == (1, "")
    assert "its final status is unknown, because the store cannot be read" in err
    assert "error: No session has the id 'ses_" in err
    assert (here("health").stdout, sessions()) == ("healthy\n", [])


def test_a_file_of_something_else_in_its_place_is_left_alone(begin: Any, tmp_path: Path) -> None:
    run = begin(WAITS)
    remove(tmp_path)
    (tmp_path / "asm.db").write_text("a letter " * 1_000)
    run.go()
    status, out, err = run.end()
    assert (status, out) == (1, "")
    assert "the file is not a SQLite database" in err
    assert (tmp_path / "asm.db").read_text() == "a letter " * 1_000
    assert sorted(path.name for path in tmp_path.glob("asm.db*")) == ["asm.db"]


def test_tables_that_are_gone_end_the_command(begin: Any, here: Any) -> None:
    run = begin(WAITS)
    assert here("db", "downgrade", "--to", "0", "--yes").exit_code == 0
    run.go()
    status, out, err = run.end()
    assert (status, out) == (1, "")
    assert "error: The tables are not those of this version of asm-core: no such table: asm_" in err


def test_a_lock_that_is_released_has_delayed_it_and_no_more(
    begin: Any, sessions: Any, tmp_path: Path, until: Any
) -> None:
    run = begin(SAYS)
    with lock(tmp_path):
        run.go()
        until((tmp_path / "said").exists)
    assert run.end()[:2] == (0, "two\n")
    (session,) = sessions()
    assert (session["session"]["status"], texts(session)) == ("completed", ["one", "two"])


def test_a_lock_that_is_not_released_ends_the_command(begin: Any, sessions: Any, here: Any, tmp_path: Path) -> None:
    run = begin(WAITS)
    with lock(tmp_path):
        run.go()
        status, out, err = run.end()
        assert (status, out) == (69, "")
        assert ": active, " in err
        assert err.endswith("error: The database is busy: database is locked; retry, or raise busy_timeout.\n")
    assert here("maintain").exit_code == 0
    (session,) = sessions()
    assert (session["session"]["status"], texts(session)) == ("failed", ["one"])


def test_the_next_run_closes_what_an_outage_left_open(begin: Any, asm: Any, sessions: Any, tmp_path: Path) -> None:
    run = begin(WAITS)
    with lock(tmp_path):
        run.go()
        run.end()
    assert sessions()[0]["session"]["status"] == "active"
    result = asm("run", "--agent", "b", "--", "true")
    assert (result.returncode, "Closed 1 sessions or runs whose recorder was killed" in result.stderr) == (0, True)
    assert [session["session"]["status"] for session in sessions()] == ["completed", "failed"]


def test_no_more_room_ends_the_command_and_keeps_what_there_was_room_for(begin: Any, sessions: Any, here: Any) -> None:
    floods = f"{SAYS}\nfor number in range(100_000): print('x' * 100, flush=True)"
    limit = (500_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    run = begin(floods, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    run.go()
    status, out, err = run.end()
    assert status in {1, 69}
    assert "of its events could not be recorded" in err
    assert (here("health").stdout, here("maintain").exit_code) == ("healthy\n", 0)
    (session,) = sessions()
    assert session["session"]["status"] == "failed"
    shown = out.splitlines()
    assert texts(session)[1 : 1 + len(shown)] == shown


def test_a_full_database_is_reported_and_rolled_back(url: str) -> None:
    engine = create_engine(url)
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA max_page_count = 60"))
    backend = SQLModelBackend(engine, migrate=True)
    session = backend.session_store.save_session(asm_library.Session.new(agent_id="a"))
    data = {"text": "x" * 100_000}
    events = [asm_library.Event.new(type="message_sent", session_id=session.id, data=data) for _ in range(5)]
    with pytest.raises(asm_library.StorageError, match="full; free space and retry") as raised:
        backend.session_store.append_events(events)
    assert not raised.value.retryable
    assert backend.session_store.get_latest_sequence(session.id) == 0
    assert backend.session_store.append_event(asm_library.Event.new(type="message_sent", session_id=session.id))
    assert backend.maintenance.health_check() == []
    engine.dispose()
