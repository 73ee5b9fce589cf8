"""A SQLite file that is locked, or has no room to grow: the error of the design, and then the same backend goes on."""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from calls import EVENT, READS, WRITES, fill, state

import asm_core as asm
from asm_contract_tests.making import an_event
from asm_contract_tests.together import PATIENCE, begun, in_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def database() -> str:
    """PostgreSQL has tests of its own."""
    return "sqlite"


@pytest.fixture
def backend(open_backend: Callable[..., asm.Backend]) -> Iterator[asm.Backend]:
    """Open the store with little patience."""
    with open_backend(busy_timeout=0.05) as opened:
        yield opened


@contextmanager
def locked(place: Path) -> Iterator[sqlite3.Connection]:
    """Let another program write to the file, and not come to its end."""
    with closing(sqlite3.connect(place / "asm.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@contextmanager
def no_room(place: Path) -> Iterator[None]:
    """Let no file of this process grow beyond what the log of the database has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((place / "asm.db-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", WRITES)
def test_a_locked_file_can_be_read_and_a_write_is_a_retryable_error(
    stored: asm.Backend,
    tmp_path: Path,
    name: str,
) -> None:
    before = state(stored)
    with locked(tmp_path):
        with pytest.raises(asm.StorageConnectionError, match=r"busy.*raise busy_timeout") as raised:
            WRITES[name](stored)
        assert raised.value.retryable
        for call in READS.values():
            call(stored)
        assert state(stored) == before
    WRITES[name](stored)
    assert stored.maintenance.health_check() == []


def test_a_write_waits_for_a_lock_that_is_released_in_time(
    stored: asm.Backend, open_backend: Callable[..., asm.Backend], tmp_path: Path
) -> None:
    with (
        open_backend(busy_timeout=PATIENCE) as patient,
        locked(tmp_path) as other,
        begun(lambda: patient.session_store.append_event(EVENT)) as waiting,
    ):
        with pytest.raises(asm.StorageConnectionError):  # as long as this takes, the other one waits
            stored.session_store.append_event(EVENT)
        assert not waiting.done()
        other.execute("COMMIT")
        assert waiting.result(PATIENCE).sequence_number == 6


@pytest.mark.parametrize("name", WRITES)
def test_a_call_on_a_full_disk_raises_and_succeeds_after_space_is_freed(
    stored: asm.Backend,
    tmp_path: Path,
    name: str,
) -> None:
    before = state(stored)
    with no_room(tmp_path):
        with pytest.raises(asm.StorageError, match="disk"):
            WRITES[name](stored)
        assert state(stored) == before
    WRITES[name](stored)
    assert stored.maintenance.health_check() == []


def test_a_disk_that_fills_up_keeps_what_was_acknowledged(
    stored: asm.Backend,
    open_backend: Callable[..., asm.Backend],
    tmp_path: Path,
    soak: int,
) -> None:
    store = stored.session_store
    acknowledged = store.get_events("s")
    for _ in range(3 * soak):
        event = an_event("s", data={"text": "x" * 20_000})
        acknowledged.append(store.append_event(event))
        with no_room(tmp_path):
            event = an_event("s", data={"text": "x" * 200_000})
            with pytest.raises(asm.StorageError, match="disk"):
                store.append_event(event)
        acknowledged.append(store.append_event(event))
        assert store.get_events("s") == acknowledged
    with open_backend() as again:
        assert again.session_store.get_events("s") == acknowledged
        assert again.maintenance.health_check() == []


NOBODY = 65534


def as_nobody(backend_name: str, place: Path) -> str:
    """Return the result of an append without all permissions, in a separate process."""

    def work(_: asm.Backend) -> str:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        try:
            with asm.open_backend(backend_name, url=f"sqlite:///{place}/asm.db") as opened:
                return opened.session_store.append_event(EVENT).id
        except asm.AsmError as error:
            return f"{error.code}: {error}"

    return str(in_processes(lambda: asm.open_backend("memory"), work)[0])


@pytest.fixture
def for_all(backend_name: str) -> Iterator[Path]:
    """Return a directory that anybody can reach, with a store in it that anybody can write to."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with asm.open_backend(backend_name, url=f"sqlite:///{place}/asm.db", migrate=True) as opened:
            fill(opened)
        place.chmod(0o777)
        (place / "asm.db").chmod(0o666)
        yield place


READ_ONLY = "storage_error: The database rejected the operation: the database is read-only; check the permissions"
UNREACHABLE = "storage_connection_failed: The database cannot be reached: .*; check its file and disk"


@pytest.mark.parametrize(
    ("file", "directory", "told"),
    [(0o444, 0o555, READ_ONLY), (0o666, 0o555, READ_ONLY), (0o000, 0o777, UNREACHABLE), (0o666, 0o000, "storage_")],
)
def test_a_file_or_directory_without_the_permission_is_reported(
    backend_name: str, for_all: Path, file: int, directory: int, told: str
) -> None:
    (for_all / "asm.db").chmod(file)
    for_all.chmod(directory)
    assert re.match(told, as_nobody(backend_name, for_all))
    for_all.chmod(0o777)
    (for_all / "asm.db").chmod(0o666)
    assert as_nobody(backend_name, for_all) == EVENT.id


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 3000, "no/such/place", "\ud800", "asm.db/asm.db"])
def test_an_impossible_path_is_reported(stored: asm.Backend, backend_name: str, tmp_path: Path, path: str) -> None:
    for migrate in (False, True):
        with pytest.raises((asm.StorageConnectionError, asm.ValidationError)):
            asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/{path}", migrate=migrate)
    assert stored.maintenance.health_check() == []
