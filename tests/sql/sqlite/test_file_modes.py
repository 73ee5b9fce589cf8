"""What is recorded may hold secrets: only the owner of a database or an export can read it."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import completer, starter

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processes import Complete

each_backend = pytest.mark.parametrize("name", ["sqlmodel", "peewee", "pony"])

pytestmark = pytest.mark.usefixtures("empty_directory")


@pytest.fixture(params=[0o022, 0o000, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def command(tmp_path: Path) -> Complete:
    environment = {**os.environ, "ASM_URL": "sqlite:///asm.db"}
    return completer(starter((sys.executable, "-m", "asm_core"), tmp_path, environment))


def modes() -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path().glob("*.*")}


@each_backend
@pytest.mark.usefixtures("umask")
def test_database_and_log_files_belong_to_their_owner(name: str) -> None:
    with asm.open_backend(name, url="sqlite:///asm.db", migrate=True) as backend:
        backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
        assert modes() == {"asm.db": 0o600, "asm.db-wal": 0o600, "asm.db-shm": 0o600}


@each_backend
def test_an_option_leaves_the_mode_to_the_umask(name: str) -> None:
    before = os.umask(0o027)
    try:
        with asm.open_backend(name, url="sqlite:///asm.db", migrate=True, private=False):
            assert modes() == {"asm.db": 0o640, "asm.db-wal": 0o640, "asm.db-shm": 0o640}
    finally:
        os.umask(before)


@each_backend
def test_the_mode_of_a_database_that_is_there_stays(name: str) -> None:
    Path("asm.db").touch()
    Path("asm.db").chmod(0o644)
    with asm.open_backend(name, url="sqlite:///asm.db", migrate=True):
        assert modes()["asm.db"] == 0o644


def test_a_database_is_made_where_a_link_leads() -> None:
    Path("data").mkdir()
    Path("asm.db").symlink_to("data/real.db")
    with asm.open_backend("sqlmodel", url="sqlite:///asm.db", migrate=True):
        assert stat.S_IMODE(Path("data/real.db").stat().st_mode) == 0o600


def test_an_export_is_its_owners_unless_the_umask_is_to_decide(command: Complete) -> None:
    before = os.umask(0o022)
    try:
        recorded = command("run", "--agent", "a", "--", "true").stderr
        [session] = re.findall(r"ses_[0-9a-f]+", recorded)
        assert command("export", session, "-o", "own.jsonl").returncode == 0
        assert command("export", session, "-o", "open.jsonl", "--umask").returncode == 0
        Path("there.jsonl").touch(0o640)
        assert command("export", session, "-o", "there.jsonl", "--force").returncode == 0
    finally:
        os.umask(before)
    found = modes()
    assert [found[f"{name}.jsonl"] for name in ("own", "open", "there")] == [0o600, 0o644, 0o640]
