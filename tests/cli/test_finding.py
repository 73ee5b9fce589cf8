"""Names of sessions: ``last``, the end of an id, and completion in a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from processes import LIMIT

from asm_core.cli.parsing.finding import find_session, short_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Complete
    from typer.testing import Result

    from asm_core.models import Session
    from asm_core.ports import Backend


@pytest.fixture
def three(fill: Callable[..., Session]) -> list[Session]:
    """Store three sessions, the newest first."""
    now = datetime.now(UTC)
    return [fill(0, created_at=now - timedelta(minutes=number)) for number in range(3)]


def test_last_is_the_newest_and_a_number_counts_back(backend: Backend, three: list[Session]) -> None:
    names = ("last", "last~0", "last~1", "last~2")
    assert [find_session(backend, name).id for name in names] == [three[number].id for number in (0, 0, 1, 2)]


def test_a_deleted_session_is_never_last(backend: Backend, three: list[Session]) -> None:
    backend.maintenance.soft_delete_session(three[0].id)
    assert find_session(backend, "last").id == three[1].id
    assert find_session(backend, three[0].id[-8:]).id == three[0].id


@pytest.mark.parametrize("name", ["last~3", "last~999999999"])
def test_too_far_back_names_the_number_of_sessions(asm: Callable[..., Result], three: list[Session], name: str) -> None:
    result = asm("show", name)
    assert (result.exit_code, len(three)) == (1, 3)
    assert result.stderr.startswith(f"error: There is no session {name}: the store has 3 sessions")


@pytest.mark.parametrize("command", ["show", "tail", "output"])
def test_without_an_id_the_newest_is_shown(
    asm: Callable[..., Result], backend: Backend, command: str, fill: Callable[..., Session]
) -> None:
    assert asm(command).stderr.startswith("error: There is no session last: the store has no session")
    assert backend.name
    fill(1)
    assert asm(command).exit_code == 0


def test_an_id_that_is_called_last_is_that_session(fill: Callable[..., Session], backend: Backend) -> None:
    named = fill(0, id="last", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    fill(0)
    assert find_session(backend, "last").id == named.id


def test_the_end_of_an_id_is_enough(three: list[Session], backend: Backend) -> None:
    for session, short in zip(three, short_ids(three), strict=True):
        assert len(short) == 8
        assert find_session(backend, short).id == session.id


def test_an_end_that_several_ids_have_lists_them(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    ids = [fill(0, id=f"{name}-in-common").id for name in ("one", "two")]
    result = asm("show", "common")
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(session_id in result.stderr for session_id in ids)


def test_help_has_a_short_option(asm: Callable[..., Result]) -> None:
    for command in ((), ("show",), ("db",), ("db", "status")):
        assert asm(*command, "-h").stdout == asm(*command, "--help").stdout


def test_a_shell_completes_ids_agents_and_options(
    process: Complete, tmp_path: Path, environment: dict[str, str]
) -> None:
    def completed(*words: str) -> list[str]:
        asked = {
            "_ASM_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("asm", *words)),
            "COMP_CWORD": str(len(words)),
        }
        command = (sys.executable, "-c", "import sys; from asm_core.cli import main; sys.exit(main())")
        variables = {**environment, **asked}
        done = subprocess.run(
            command, env=variables, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=LIMIT
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("show", "la") == []  # no store, and no message
    for agent in ("builder", "tester"):
        assert process("run", "--agent", agent, "--quiet", "--", "true").returncode == 0
    ids = [line.split("\t")[0] for line in process("sessions").stdout.splitlines()[1:]]
    assert completed("show", ids[0][-8:-2]) == [ids[0][-8:]]
    assert set(completed("tail", "ses_")) == set(ids)
    assert completed("show", "la") == ["last"]
    assert completed("sessions", "--agent", "b") == ["builder"]
    assert completed("--url", environment["ASM_URL"] + "x", "show", "la") == []
    assert completed("sessions", "--stat") == ["--status"]
    assert os.environ.get("_ASM_COMPLETE") is None
