"""The place where a command runs."""

from __future__ import annotations

import os
import platform
import pwd
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from processes import LIMIT

from asm_core.commands.origin import origin_of
from asm_core.values.payloads import check_payload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let git read no settings but those of the repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """Call git in a new repository with one commit and an untracked file."""

    def call(*arguments: str) -> str:
        settings = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", *settings, *arguments]
        return subprocess.check_output(command, cwd=tmp_path, text=True, timeout=LIMIT).strip()

    call("init", "-q", "-b", "trunk")
    (tmp_path / "tracked").write_text("one")
    call("add", "tracked")
    call("commit", "-q", "-m", "one")
    (tmp_path / "untracked").write_text("x")
    return call


def test_directory_host_and_user_are_recorded(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    assert origin_of(tmp_path) == {"directory": str(tmp_path), "host": platform.node(), "user": user}


def test_the_default_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert origin_of()["directory"] == str(tmp_path)


def test_a_relative_directory_is_recorded_as_an_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert origin_of("below")["directory"] == f"{tmp_path}/below"


def test_commit_and_branch_are_recorded(git: Any, tmp_path: Path) -> None:
    assert origin_of(tmp_path)["git"] == {"commit": git("rev-parse", "HEAD"), "branch": "trunk", "dirty": False}


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_file_makes_it_dirty(git: Any, tmp_path: Path, *, staged: bool) -> None:
    (tmp_path / "tracked").write_text("two")
    if staged:
        git("add", "tracked")
    assert origin_of(tmp_path)["git"]["dirty"] is True


def test_a_detached_commit_has_no_branch(git: Any, tmp_path: Path) -> None:
    git("checkout", "-q", "--detach")
    assert origin_of(tmp_path)["git"] == {"commit": git("rev-parse", "HEAD"), "branch": None, "dirty": False}


def test_a_repository_without_a_commit_has_a_branch(git: Any, tmp_path: Path) -> None:
    git("update-ref", "-d", "HEAD")
    assert origin_of(tmp_path)["git"] == {"commit": None, "branch": "trunk", "dirty": True}


def test_variables_do_not_change_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "another")
    assert origin_of(tmp_path)["user"] == pwd.getpwuid(os.getuid()).pw_name


def test_a_program_that_the_repository_names_is_not_started(git: Any, tmp_path: Path) -> None:
    git("config", "core.fsmonitor", f"touch {tmp_path}/started; false")
    assert origin_of(tmp_path)["git"]["branch"] == "trunk"
    assert not (tmp_path / "started").exists()


def test_a_name_that_is_not_utf_8_can_be_stored(tmp_path: Path) -> None:
    place = os.path.join(os.fsencode(tmp_path), b"\xff")  # noqa: PTH118  no Path takes bytes
    os.mkdir(place)  # noqa: PTH102
    found = origin_of(os.fsdecode(place))
    assert found["directory"] == f"{tmp_path}/\\xff"
    assert check_payload("metadata", found) == found


@pytest.mark.usefixtures("git")
@pytest.mark.parametrize("program", [None, "#!/bin/sh\nexit 1\n"])
def test_without_git_its_key_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None) -> None:
    assert "git" in origin_of(tmp_path)
    (tmp_path / "bin").mkdir()
    if program:
        (tmp_path / "bin" / "git").write_text(program)
        (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "git" not in origin_of(tmp_path)
