"""What goes on around the backend must not break it: another directory, a close, an interruption, errors of others."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database() -> str:
    return "sqlite"


@pytest.fixture
def backend(backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[asm.Backend]:
    monkeypatch.chdir(tmp_path)
    with asm.open_backend(backend_name, url="sqlite:///asm.db", migrate=True, busy_timeout=5) as opened:
        yield opened


@pytest.fixture
def session(backend: asm.Backend) -> asm.Session:
    return backend.session_store.save_session(asm.Session.new(agent_id="a"))


def interrupted(backend: asm.Backend, session: asm.Session, error: BaseException) -> None:
    with backend.transaction():
        backend.session_store.append_event(asm.Event.new(type="session_started", session_id=session.id))
        raise error


def test_a_relative_url_stays_where_it_was(backend: asm.Backend, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    assert backend.session_store.list_sessions() == [session]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_closing_wakes_waiters(backend: asm.Backend, session: asm.Session) -> None:
    told: list[Exception] = []

    def follow() -> None:
        try:
            list(backend.session_store.follow_events(session.id))
        except asm.StorageError as error:
            told.append(error)

    waiter = threading.Thread(target=follow)
    waiter.start()
    backend.close()
    waiter.join(30)
    assert "closed" in str(told)


def test_errors_of_the_application_pass_through_a_transaction(backend: asm.Backend, session: asm.Session) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="its own"):
        interrupted(backend, session, sqlite3.IntegrityError("of its own"))
    assert backend.session_store.get_latest_sequence(session.id) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_rolls_back_and_blocks_no_writer(
    backend_name: str, backend: asm.Backend, session: asm.Session, error: type[BaseException]
) -> None:
    with pytest.raises(error) as raised:
        interrupted(backend, session, error())
    assert raised.value.__traceback__ is not None  # what it refers to is alive
    with asm.open_backend(backend_name, url="sqlite:///asm.db", busy_timeout=0) as other:
        event = other.session_store.append_event(asm.Event.new(type="session_started", session_id=session.id))
    assert event.sequence_number == 1


def test_a_transaction_that_the_database_undid_goes_on_no_more(backend: asm.Backend, session: asm.Session) -> None:
    def go_on() -> None:
        with backend.transaction():
            backend._database.transactions.current().connection.driver.execute("ROLLBACK")  # type: ignore[attr-defined]
            backend.session_store.append_event(asm.Event.new(type="session_started", session_id=session.id))

    with pytest.raises(asm.StorageError, match="was rolled back"):
        go_on()
    assert backend.session_store.get_latest_sequence(session.id) == 0


def test_a_version_is_no_answer_to_whether_to_migrate(backend_name: str, tmp_path: Path) -> None:
    with pytest.raises(asm.ValidationError, match="migrate must be True or False, not 0"):
        asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/asm.db", migrate=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [2, 700])
def test_a_counter_that_was_set_back_loses_no_event(backend: asm.Backend, session: asm.Session, count: int) -> None:
    def events(count: int) -> list[asm.Event]:
        return [asm.Event.new(type="session_started", session_id=session.id) for _ in range(count)]

    stored = backend.session_store.append_events(events(3))
    with closing(sqlite3.connect("asm.db")) as file, file:
        file.execute("UPDATE asm_session_sequences SET last_sequence = 1")
    with pytest.raises(asm.StorageError, match=f"counter of its session is already in use, in {session.id}. Run `asm"):
        backend.session_store.append_events(events(count))
    assert backend.session_store.get_events(session.id) == stored
