"""A SQLite file that is locked, or has no room to grow: the error of the design, and then the same backend goes on."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from calls import EVENT, READS, WRITES, state

import asm_core as asm
from asm_contract_tests.making import an_event
from asm_contract_tests.together import PATIENCE, begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
def test_a_full_disk_is_told_and_the_same_call_succeeds_once_there_is_room(
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
