"""The SQLModel backend on PostgreSQL, beyond the contract."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg import Connection

PROCESSES = 6
ROUNDS = 2
OPEN = """
import sys, asm_core as asm
with asm.open_backend("sqlmodel", url=sys.argv[1], migrate=True) as backend:
    assert backend.schema_version()
"""


@pytest.fixture
def backend(url: str) -> Iterator[asm.Backend]:
    with asm.open_backend("sqlmodel", url=url, migrate=True) as opened:
        yield opened


def test_processes_that_migrate_a_fresh_database_at_once_all_succeed(url: str, connection: Connection) -> None:
    for _ in range(ROUNDS):
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        command = [sys.executable, "-c", OPEN, url]
        with ThreadPoolExecutor(PROCESSES) as pool:
            opened = list(
                pool.map(
                    lambda _, command=command: subprocess.run(command, capture_output=True, check=False),
                    range(PROCESSES),
                )
            )
        assert [(each.returncode, each.stderr) for each in opened] == [(0, b"")] * PROCESSES


def test_a_connection_that_was_terminated_is_told_and_replaced(backend: asm.Backend, connection: Connection) -> None:
    store = backend.session_store
    session = store.save_session(asm.Session.new(agent_id="a"))
    store.append_event(asm.Event.new(type="session_created", session_id=session.id))
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'asm' AND datname = current_database()"
    )
    event = asm.Event.new(type="session_started", session_id=session.id)
    with pytest.raises(asm.StorageConnectionError) as raised:
        store.append_event(event)
    assert raised.value.retryable
    assert store.append_event(event).sequence_number == 2


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    url = "postgresql://somebody:hunter2@localhost:1/nowhere"
    with pytest.raises(asm.StorageConnectionError) as raised:
        asm.open_backend("sqlmodel", url=url, connect_timeout=1)
    assert "hunter2" not in f"{raised.value!r} {raised.value} {raised.value.to_dict()}"


def test_a_database_without_the_schema_says_what_helps(url: str, connection: Connection) -> None:
    connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with pytest.raises(asm.MigrationRequiredError, match="asm db upgrade"):
        asm.open_backend("sqlmodel", url=url)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_size": 0}, "pool_size must be an integer of at least 1, not 0"),
        ({"pool_timeout": -1}, "pool_timeout must be a number of seconds"),
        ({"prepare_threshold": -1}, "prepare_threshold must be an integer of at least 0, not -1"),
        ({"application_name": 5}, "application_name must be a string, not 5"),
        ({"readers": 5}, "no option 'readers' for this database. It has: pool_size, "),
    ],
)
def test_an_option_that_cannot_be(url: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        asm.open_backend("sqlmodel", url=url, migrate=True, **options)


def test_statements_need_not_be_prepared(url: str) -> None:
    with asm.open_backend("sqlmodel", url=url, migrate=True, prepare_threshold=0) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        for number in range(1, 11):
            event = asm.Event.new(type="session_started", session_id=session.id)
            assert backend.session_store.append_event(event).sequence_number == number


def test_an_engine_of_the_application_gives_equal_models_and_is_not_closed(url: str, backend: asm.Backend) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    data = {"b": 1, "a": [1.5, 2**63 - 1, {"nul": "\0"}]}
    session = backend.session_store.save_session(asm.Session.new(agent_id="a", metadata=data, tags=["x"]))
    event = backend.session_store.append_event(asm.Event.new(type="session_started", session_id=session.id, data=data))
    with SQLModelBackend(engine) as own:
        assert own.session_store.get_session(session.id) == session
        assert repr(own.session_store.get_events(session.id)) == repr([event])
    engine.connect().close()
    engine.dispose()


def test_the_command_records_on_postgresql(url: str, tmp_path: Path) -> None:
    def command(*arguments: str) -> str:
        whole = [sys.executable, "-m", "asm_core", *arguments, "--url", url]
        return subprocess.run(whole, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    printer = [sys.executable, "-c", "for number in range(1000): print(number)"]
    program = [sys.executable, "-m", "asm_core", "run", "--url", url, "--agent", "a", "--", *printer]
    shown = subprocess.run(program, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert shown.split() == [str(number) for number in range(1000)]
    (session,) = json.loads(command("sessions", "--json"))
    assert (session["status"], session["events"]) == ("completed", 1008)
    assert command("health") == "healthy\n"
