"""A row that this program did not write, or that was damaged, is an error that names it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_core.cli.program import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEEP = "[" * 3000 + "]" * 3000
DAMAGES = [
    ("UPDATE asm_sessions SET status = 'odd'", "ses_1", "odd"),
    ("UPDATE asm_sessions SET metadata = '{'", "ses_1", "DecodeError"),
    ("UPDATE asm_sessions SET tags = '5'", "ses_1", "TypeError"),
    ("UPDATE asm_sessions SET created_at = 'yesterday'", "ses_1", "yesterday"),
    (f"UPDATE asm_sessions SET context = '{DEEP}'", "ses_1", "RecursionError"),  # noqa: S608  of this file alone
    ("UPDATE asm_runs SET status = 'odd'", "run_1", "odd"),
    ("UPDATE asm_runs SET cost_nanos = -5", "run_1", "-5|Invalid"),
    ("UPDATE asm_runs SET token_usage = 'nan'", "run_1", "DecodeError"),
    ("UPDATE asm_events SET type = 'odd'", "evt_1", "odd"),
    ("UPDATE asm_events SET timestamp = ''", "evt_1", "ValueError"),
]


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    with asm.open_backend(request.param, url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as opened:
        store = opened.session_store
        session = store.save_session(asm.Session.new(agent_id="assistant", id="ses_1", tags=["t"]))
        store.save_run(asm.Run.new(session_id=session.id, id="run_1"))
        store.append_event(asm.Event.new(type="message_sent", session_id=session.id, id="evt_1"))
        yield opened


@pytest.mark.parametrize(("damage", "id_", "why"), DAMAGES, ids=[damage[7:45] for damage, *_ in DAMAGES])
def test_a_row_that_cannot_be_read_is_named(
    backend: asm.Backend, tmp_path: Path, damage: str, id_: str, why: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "asm.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = on")
        connection.execute(damage)
    readers: list[Callable[[], object]] = [
        lambda: backend.session_store.get_session("ses_1"),
        backend.query_api.search_sessions,
        lambda: backend.session_store.list_runs("ses_1"),
        lambda: backend.session_store.get_events("ses_1"),
        lambda: backend.query_api.export_session("ses_1"),
    ]
    failures = []
    for read in readers:
        try:
            read()
        except asm.StorageError as error:
            failures.append(error)
    assert failures
    for failure in failures:
        assert f"'{id_}' cannot be read" in failure.message
        assert failure.details == {"id": id_}
    assert any(any(part in failure.message for part in why.split("|")) for failure in failures)


@pytest.mark.parametrize("damage", [damage for damage, *_ in DAMAGES if "'odd'" in damage])
def test_the_command_line_names_it_too(backend: asm.Backend, tmp_path: Path, damage: str) -> None:
    from typer.testing import CliRunner  # noqa: PLC0415  the extra

    with closing(sqlite3.connect(tmp_path / "asm.db", isolation_level=None)) as connection:
        connection.execute(damage)
    assert backend.maintenance.health_check()
    url = ("--url", f"sqlite:///{tmp_path}/asm.db")
    for command in (("sessions",), ("show", "ses_1"), ("health",), ("usage",)):
        result = CliRunner().invoke(app, [*command, *url], catch_exceptions=False)
        assert "Traceback" not in result.output
    health = CliRunner().invoke(app, ["health", *url], catch_exceptions=False)
    assert (health.exit_code, "unknown" in health.output, "odd" in health.output) == (1, True, True)
