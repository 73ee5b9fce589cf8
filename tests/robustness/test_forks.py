"""A fork, at any instant of any thread, leaves the parent's data whole and the child able to work."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import LIMIT, ended

import asm_core as asm
from asm_core.memory import MemoryBackend
from asm_core.sql.options import SQLiteOptions
from asm_core.sql.sqlite import forks
from asm_core.sql.sqlite.file import SQLiteFile

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")

BACKENDS = ("sqlmodel", "peewee", "pony")
FORKS = 44
PATIENCE = 900.0
PROGRAM = Path(__file__).with_name("forking.py")


def in_child(work: Callable[[], object]) -> bool:
    """Fork, and return whether `work` returned something true in the child."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


@pytest.fixture(params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def fork_and_work(backend_name: str, url: str, forks: int) -> None:
    command = [sys.executable, "-W", "ignore", str(PROGRAM), backend_name, url, str(forks)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * forks / FORKS, check=False)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "", "")


@pytest.mark.timeout(PATIENCE)
def test_forks_while_threads_work_leave_the_file_whole(backend_name: str, tmp_path: Path, soak: int) -> None:
    path = tmp_path / "asm.db"
    fork_and_work(backend_name, f"sqlite:///{path}", FORKS * soak)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_child_opens_the_file_after_a_fork_between_a_statement_and_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/asm.db"
    with asm.open_backend("peewee", url=url, migrate=True):
        writer = SQLiteFile(f"{tmp_path}/asm.db", SQLiteOptions(), create=False).connect()
        try:
            writer.execute("BEGIN IMMEDIATE")
            writer.kept.execute("SELECT 1 UNION ALL SELECT 2")
            assert in_child(lambda: asm.open_backend("sqlmodel", url=url).session_store.list_sessions() == [])
            assert writer.kept.fetchall() == [(1,), (2,)]
        finally:
            writer.close()


@pytest.mark.timeout(PATIENCE)
def test_forks_while_threads_work_leave_the_parents_connections_alone(
    backend_name: str, postgresql_url: str, soak: int
) -> None:
    fork_and_work(backend_name, postgresql_url, FORKS * soak)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_keeps_no_descriptor_of_the_parents_file(backend_name: str, tmp_path: Path) -> None:
    if not forks.CAN_LEAVE:
        pytest.skip("needs /proc")
    path = tmp_path / "asm.db"
    with asm.open_backend(backend_name, url=f"sqlite:///{path}", migrate=True) as backend:
        backend.session_store.list_sessions()

        def is_cut_off() -> bool:
            inodes = {(stat.st_dev, stat.st_ino) for stat in map(os.stat, tmp_path.iterdir())}
            return not dict(forks.descriptors_of(inodes)) and not list(forks.mappings_of({f"{path}-shm"}))

        assert in_child(is_cut_off)
        assert not is_cut_off()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_reads_the_applications_own_descriptor_of_the_file(backend_name: str, tmp_path: Path) -> None:
    path = tmp_path / "asm.db"
    with (
        asm.open_backend(backend_name, url=f"sqlite:///{path}", migrate=True) as backend,
        path.open("rb") as file,
    ):
        backend.session_store.list_sessions()
        assert in_child(lambda: file.read(6) == b"SQLite")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_refuses_a_file_that_the_applications_own_connection_keeps_open(
    backend_name: str, tmp_path: Path
) -> None:
    path = tmp_path / "asm.db"
    with (
        asm.open_backend(backend_name, url=f"sqlite:///{path}", migrate=True) as backend,
        closing(sqlite3.connect(path)) as other,
    ):
        assert other.execute("SELECT count(*) FROM asm_sessions").fetchone() == (0,)

        def is_refused() -> bool:
            try:
                backend.session_store.list_sessions()
            except asm.StorageError as error:
                return "inherited connections" in str(error)
            return False

        assert in_child(is_refused)
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        assert backend.session_store.get_session(session.id) == session


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_database_in_memory_is_the_childs_own_copy(backend_name: str) -> None:
    with asm.open_backend(backend_name, url="sqlite://", migrate=True) as backend:
        store = backend.session_store
        first = store.save_session(asm.Session.new(agent_id="a"))
        assert in_child(lambda: store.save_session(asm.Session.new(agent_id="b")) and len(store.list_sessions()) == 2)
        assert store.list_sessions() == [first]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_the_in_memory_backend_has_what_was_committed() -> None:
    backend = MemoryBackend()
    store, began, may_end = backend.session_store, threading.Event(), threading.Event()
    first = store.save_session(asm.Session.new(agent_id="a"))

    def hold() -> None:
        with backend.transaction():
            store.save_session(asm.Session.new(agent_id="b"))
            began.set()
            may_end.wait(LIMIT)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        began.wait(LIMIT)
        assert in_child(lambda: store.list_sessions() == [first])
    finally:
        may_end.set()
        ended(thread)
    assert len(store.list_sessions()) == 2
