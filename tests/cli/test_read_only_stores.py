"""Stores that the user of `asm` may only read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
from processes import LIMIT
from psycopg import sql
from sqlalchemy import make_url

import asm_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AS_A_READER: Final = """\
import contextlib, json, os, sys
from asm_core.cli import main

place, commands = sys.argv[1], json.loads(sys.argv[2])
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
    for arguments in commands:
        main(arguments)  # imports what another user cannot read
os.chmod(place, 0o555)
if os.getuid() == 0:  # permissions do not apply to root
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for arguments in commands:
    print("\\nEnded with", main(arguments), flush=True)
"""
READER: Final = "for this test"
READING: Final = [
    ("sessions", "--json"),
    ("show",),
    ("tail",),
    ("output",),
    ("grep", "hello"),
    ("export", "last", "-o", "-"),
    ("usage",),
    ("health",),
    ("db", "status"),
]


@pytest.fixture
def as_a_reader(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Call commands on a SQLite file, in a directory where the user may not write."""
    if sys.platform == "win32":
        pytest.skip("permissions of this kind are Unix's")
    # Not below pytest's own directory, which is closed to other users.
    with TemporaryDirectory(prefix="asm-read-only-") as place:
        given = {**environment, "ASM_URL": f"sqlite:///{place}/asm.db", "ASM_BACKEND": "peewee"}

        def call(*code: str) -> subprocess.CompletedProcess[str]:
            done = (sys.executable, *code)
            return subprocess.run(
                done, capture_output=True, text=True, check=False, timeout=LIMIT, cwd=place, env=given
            )

        call("-m", "asm_core", "run", "-q", "--", "echo", "hello")
        Path(place, "asm.db").chmod(0o444)
        yield lambda *commands: call("-c", AS_A_READER, place, json.dumps(commands))
        Path(place).chmod(0o755)


def test_a_file_in_a_directory_without_write_permission_is_read(
    as_a_reader: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = as_a_reader(*READING, ("maintain",))
    statuses = [line for line in done.stdout.splitlines() if line.startswith("Ended")]
    assert statuses == [*["Ended with 0"] * len(READING), "Ended with 1"], done.stderr
    assert done.stdout.count("hello") >= len(READING) - 3
    assert "the database is read-only; check the permissions of the file and its directory" in done.stderr


@pytest.fixture
def reader(postgresql_database: psycopg.Connection) -> Iterator[str]:
    """Return the URL of a PostgreSQL store with a session, for a role that may only read."""
    info = postgresql_database.info
    url = f"postgresql://{info.user}:{info.password}@/{info.dbname}?host={info.host}&port={info.port}"
    with asm_core.open_backend("peewee", url=url, migrate=True) as backend:
        session = backend.session_store.save_session(asm_core.Session.new(agent_id="reader"))
        event = asm_core.Event.new(type="message_sent", session_id=session.id, data={"content": "hello"})
        backend.session_store.append_event(event)
    name = sql.Identifier(role := f"asm_reader_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}")
    execute = postgresql_database.execute
    execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(READER)))
    execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))  # other tests make the schema again
    execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(name))
    yield make_url(url).set(username=role, password=READER).render_as_string(hide_password=False)
    execute(sql.SQL("DROP OWNED BY {}").format(name))
    execute(sql.SQL("DROP ROLE {}").format(name))


def test_a_role_that_may_only_select_reads(
    process: Callable[..., Any], environment: dict[str, str], reader: str
) -> None:
    environment |= {"ASM_URL": reader, "ASM_BACKEND": "peewee"}
    for arguments in READING:
        if arguments[0] != "output":  # no command was recorded
            done = process(*arguments)
            assert done.returncode == 0, (arguments, done.stderr)
    assert json.loads(process("sessions", "--json", "-n", "1").stdout)[0]["agent_id"] == "reader"
    denied = process("title", "last", "x")
    assert denied.returncode == 1
    assert denied.stderr.startswith("error: A privilege is missing (permission denied for table asm_sessions).")
