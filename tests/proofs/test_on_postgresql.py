"""Options and the command line on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
from processes import LIMIT

import asm_core as asm

if TYPE_CHECKING:
    from pathlib import Path

    from administrator import Administrator


@pytest.fixture
def database() -> str:
    return "postgresql"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_size": 0}, "pool_size must be an integer of at least 1, not 0"),
        ({"pool_size": 10**6}, "pool_size must be an integer of at least 1, and at most 10000, not 1000000"),
        ({"pool_timeout": -1}, "pool_timeout must be a number of seconds"),
        ({"prepare_threshold": -1}, "prepare_threshold must be an integer of at least 0, not -1"),
        ({"application_name": 5}, "application_name must be a string, not 5"),
        ({"notify": 1}, "notify must be True or False, not 1"),
        ({"readers": 5}, "no option 'readers' for this database. Its options: pool_size, "),
    ],
)
def test_an_option_that_cannot_be(backend_name: str, url: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        asm.open_backend(backend_name, url=url, migrate=True, **options)


def test_statements_need_not_be_prepared(backend_name: str, url: str) -> None:
    with asm.open_backend(backend_name, url=url, migrate=True, prepare_threshold=0) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        for number in range(1, 11):
            event = asm.Event.new(type="session_started", session_id=session.id)
            assert backend.session_store.append_event(event).sequence_number == number


def test_the_command_records_on_postgresql(backend_name: str, url: str, tmp_path: Path) -> None:
    def command(*arguments: str) -> str:
        whole = [sys.executable, "-m", "asm_core", *arguments, "--backend", backend_name, "--url", url]
        return subprocess.run(whole, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=LIMIT).stdout

    printer = [sys.executable, "-c", "for number in range(1000): print(number)"]
    program = [
        sys.executable,
        "-m",
        "asm_core",
        "--backend",
        backend_name,
        "run",
        "--url",
        url,
        "--agent",
        "a",
        "--",
        *printer,
    ]
    shown = subprocess.run(program, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    assert shown.split() == [str(number) for number in range(1000)]
    (session,) = json.loads(command("sessions", "--json"))
    assert (session["status"], session["events"]) == ("completed", 1008)
    assert command("health") == "healthy\n"


def test_a_database_without_the_schema_raises_with_advice(backend_name: str, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with pytest.raises(asm.MigrationRequiredError, match="asm db upgrade"):
        asm.open_backend(backend_name, url=url)


@pytest.mark.parametrize("style", ["ISO, DMY", "German", "SQL, DMY", "Postgres"])
def test_times_are_read_in_every_date_style_of_the_server(
    backend_name: str, url: str, administrator: Administrator, style: str
) -> None:
    administrator.configure(DateStyle=style)
    with asm.open_backend(backend_name, url=url, migrate=True) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        times = [datetime(2026, 2, 1, 3, 4, 5, fraction, tzinfo=UTC) for fraction in (0, 120_000, 123_456)]
        for time in times:
            event = asm.Event.new(type="session_started", session_id=session.id, timestamp=time)
            backend.session_store.append_event(event)
        assert [event.timestamp for event in backend.session_store.get_events(session.id)] == times
        assert backend.session_store.get_session(session.id) == session
