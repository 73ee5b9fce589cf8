"""What commands take from the configuration file: agent, user and retention policy."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

import asm_core

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Complete


@pytest.fixture(autouse=True)
def _peewee(environment: dict[str, str]) -> None:
    environment["ASM_BACKEND"] = "peewee"


def test_the_agent_has_defaults(process: Complete, environment: dict[str, str], tmp_path: Path) -> None:
    def recorded() -> str:
        assert process("run", "--", "true").returncode == 0
        agent: str = json.loads(process("sessions", "-n", "1", "--json").stdout)[0]["agent_id"]
        return agent

    assert recorded() == "true"
    (tmp_path / "asm.toml").write_text('agent = "configured"')
    assert recorded() == "configured"
    environment["ASM_AGENT"] = "given"
    assert recorded() == "given"


def test_the_user_has_defaults(process: Complete, environment: dict[str, str], tmp_path: Path) -> None:
    def recorded(*options: str) -> str | None:
        assert process("run", *options, "--", "true").returncode == 0
        user: str | None = json.loads(process("sessions", "-n", "1", "--json").stdout)[0]["user_id"]
        return user

    assert recorded() is None
    (tmp_path / "asm.toml").write_text('user = "configured"')
    assert recorded() == "configured"
    environment["ASM_USER"] = "given"
    assert recorded() == "given"
    assert recorded("--user", "ann") == "ann"


def test_retention_is_configured(process: Complete, tmp_path: Path) -> None:
    process("run", "--", "true")
    (tmp_path / "asm.toml").write_text("[retention]\nmax_completed_session_age_days = 0")
    assert json.loads(process("maintain", "--json").stdout)["sessions_soft_deleted"] == 1


@pytest.mark.parametrize("text", ["agent = 5", "user = 5", "retention = 5", "[retention]\nmax_events = 5"])
def test_a_wrong_value_is_refused(process: Complete, tmp_path: Path, text: str) -> None:
    process("run", "--", "true")
    (tmp_path / "asm.toml").write_text(text)
    done = process(*(("run", "--", "true") if "[" not in text and "retention" not in text else ("maintain",)))
    assert (done.returncode, done.stderr.startswith("error: ")) == (1, True)


@pytest.mark.parametrize(("text", "command"), [('agent = "x"', ("run", "--", "true")), ("[retention]", ("maintain",))])
def test_a_file_of_others_configures_neither(
    process: Complete, tmp_path: Path, text: str, command: tuple[str, ...]
) -> None:
    process("run", "--", "true")
    (tmp_path / "asm.toml").write_text(text)
    (tmp_path / "asm.toml").chmod(0o666)
    done = process(*command)
    assert done.returncode == 1
    assert "is not trusted, because others can write it" in done.stderr


def test_the_store_in_memory_ignores_the_url_of_a_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASM_URL", f"sqlite:///{tmp_path}/asm.db")
    with asm_core.open_backend("memory") as backend:
        assert backend.name == "memory"
    with pytest.raises(asm_core.ValidationError, match="takes no url except memory://"):
        asm_core.open_backend("memory", url="sqlite:///x.db")


def test_a_check_of_the_schema_has_a_status(process: Complete, tmp_path: Path) -> None:
    process("db", "upgrade")
    assert process("db", "status", "--check").returncode == 0
    with sqlite3.connect(tmp_path / "asm.db") as connection:
        connection.execute("DELETE FROM asm_schema_migrations WHERE version > 1")
    assert process("db", "status").returncode == 0
    assert process("db", "status", "--check").returncode == 1
