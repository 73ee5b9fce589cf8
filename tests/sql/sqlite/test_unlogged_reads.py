"""Reads of a SQLite file whose directory cannot be written, and so without a log and without locks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core.sql.sqlite.file import SQLiteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asm_core.sql.sqlite.driver import Connection


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a store with a session."""
    place = f"sqlite:///{tmp_path}/asm.db"
    save(place, migrate=True)
    return place


@pytest.fixture
def unwritable(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let SQLite fail as in a directory that cannot be written, also for root."""
    assert url  # the store exists already
    open_file = SQLiteFile._open

    def refusing(file: SQLiteFile, place: str, unlogged: Any) -> Connection:
        if unlogged is None:
            error = sqlite3.OperationalError("attempt to write a readonly database")
            error.sqlite_errorcode = sqlite3.SQLITE_READONLY
            raise error
        return open_file(file, place, unlogged)

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteFile, "_open", refusing)
        yield


def save(url: str, **options: Any) -> None:
    """Store a session by another process's means: through a connection of its own."""
    with asm.open_backend("peewee", url=url, **options) as backend:
        backend.session_store.save_session(asm.Session.new(agent_id="a"))


@pytest.mark.usefixtures("unwritable")
@pytest.mark.parametrize("backend_name", ["sqlmodel", "peewee", "pony"])
def test_a_file_is_read_without_a_log(backend_name: str, url: str, tmp_path: Path) -> None:
    with asm.open_backend(backend_name, url=url) as backend:
        assert len(backend.session_store.list_sessions()) == 1
        assert backend.maintenance.health_check() == []
        with pytest.raises(asm.StorageError, match="read-only"):
            backend.session_store.save_session(asm.Session.new(agent_id="a"))
    assert [path.name for path in tmp_path.iterdir()] == ["asm.db"]


def test_a_later_read_sees_a_write_of_another_process(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(file: SQLiteFile) -> Any:
        return file._open(f"file:{file.path}?mode=ro&immutable=1", file.unlogged_state())

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteFile, "connect", read_only)
        backend: Any = asm.open_backend("peewee", url=url)
        assert len(backend.session_store.list_sessions()) == 1
        token = backend.session_store._database.change_token()
        patched.undo()
        save(url)
        patched.setattr(SQLiteFile, "connect", read_only)
        assert backend.session_store._database.change_token() != token
        assert len(backend.session_store.list_sessions()) == 2
        backend.close()


@pytest.mark.usefixtures("unwritable")
def test_a_write_during_a_read_is_a_retryable_error(url: str, tmp_path: Path) -> None:
    def read_during_a_write(database: Any) -> None:
        with database.read() as connection:
            connection.execute_sql("SELECT 1").fetchall()
            with closing(sqlite3.connect(tmp_path / "asm.db")) as other, other:
                other.execute("UPDATE asm_sessions SET agent_id = 'b'")

    with asm.open_backend("peewee", url=url) as backend:
        store: Any = backend.session_store
        with pytest.raises(asm.StorageConnectionError, match="was changed while it was read") as caught:
            read_during_a_write(store._database)
        assert caught.value.retryable
        assert [one.agent_id for one in backend.session_store.list_sessions()] == ["b"]


@pytest.mark.usefixtures("unwritable")
def test_a_file_with_a_log_is_not_read_without_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "asm.db-wal").write_bytes(b"x" * 100)
    with pytest.raises(asm.StorageError, match="read-only"):
        asm.open_backend("peewee", url=url)
