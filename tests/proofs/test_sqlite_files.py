"""Options, urls and files that cannot be: a clear error, and nothing is made or changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def database() -> str:
    return "sqlite"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Begin without a file."""
    return f"sqlite:///{tmp_path}/asm.db"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synchronous": "off"}, "synchronous must be one of full, normal, not 'off'"),
        ({"synchronous": 1}, "synchronous must be one of full, normal, not 1"),
        ({"synchronous": ["full"]}, r"synchronous must be one of full, normal, not \['full'\]"),
        ({"busy_timeout": -1}, "busy_timeout must be a number of seconds from 0 to 2147483, not -1"),
        ({"busy_timeout": float("nan")}, "busy_timeout must be a number of seconds"),
        ({"busy_timeout": float("inf")}, "busy_timeout must be a number of seconds"),
        ({"busy_timeout": 3_000_000}, "busy_timeout must be a number of seconds"),
        ({"busy_timeout": "30"}, "busy_timeout must be a number of seconds"),
        ({"busy_timeout": True}, "busy_timeout must be a number of seconds"),
        ({"wal_autocheckpoint": 0}, "wal_autocheckpoint must be an integer of at least 1, not 0"),
        ({"wal_autocheckpoint": 1.5}, "wal_autocheckpoint must be an integer of at least 1, not 1.5"),
        ({"readers": 0}, "readers must be an integer of at least 1, not 0"),
        ({"readers": 1 << 31}, "readers must be an integer of at least 1"),
        ({"readers": None}, "readers must be an integer of at least 1, not None"),
        (
            {"busy_timout": 1},
            "has no option 'busy_timout' for this database. Its options: busy_timeout, ",
        ),
    ],
)
def test_an_option_that_cannot_be(
    backend_name: str, url: str, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        asm.open_backend(backend_name, url=url, migrate=True, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "asm.db",
        "sqlite",
        "sqlite:///a.db?mode=ro",
        "sqlite:///a?b",
        "sqlite://host/a.db",
        "sqlite:///a%00b",
        "x://y",
    ],
)
def test_a_url_that_cannot_be(backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASM_URL", raising=False)
    with pytest.raises(asm.ValidationError, match=r"sqlite:///path/to/file\.db"):
        asm.open_backend(backend_name, url=url, migrate=True)
    assert list(tmp_path.iterdir()) == []


def test_a_password_in_a_url_is_not_shown(backend_name: str, tmp_path: Path) -> None:
    with pytest.raises(asm.ValidationError) as raised:
        asm.open_backend(backend_name, url=f"mysql://me:secret@host/{tmp_path}", migrate=True)
    assert "secret" not in f"{raised.value!r}{raised.value.details}"


@pytest.mark.parametrize("migrate", [False, True])
def test_a_directory_is_no_database(backend_name: str, tmp_path: Path, migrate: bool) -> None:  # noqa: FBT001
    with pytest.raises(asm.StorageError, match=r"is a directory\. Name a database file in it"):
        asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}", migrate=migrate)


@pytest.mark.parametrize("migrate", [False, True])
def test_a_file_of_something_else_is_no_database(backend_name: str, tmp_path: Path, migrate: bool) -> None:  # noqa: FBT001
    (tmp_path / "letter").write_text("Dear reader, " * 500)
    with pytest.raises(asm.StorageError, match="the file is not a SQLite database"):
        asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/letter", migrate=migrate)
    assert (tmp_path / "letter").read_text() == "Dear reader, " * 500
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_a_missing_file_is_not_made_unless_asked_for(backend_name: str, tmp_path: Path) -> None:
    with pytest.raises(asm.StorageConnectionError, match=r"There is no database at .*Create it with `asm db upgrade`"):
        asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/asm.db")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_not_made(backend_name: str, tmp_path: Path) -> None:
    with pytest.raises(asm.StorageConnectionError, match="cannot be created: No such file or directory"):
        asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/no/asm.db", migrate=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["with space.db", "ünï.db", "per%25cent.db", "hash#.db", "quo'te\".db", "new\nline.db"]
)
def test_a_file_of_any_name_is_made_under_that_name(backend_name: str, tmp_path: Path, name: str) -> None:
    with asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/{name}", migrate=True) as backend:
        backend.session_store.save_session(asm.Session.new(agent_id="a"))
    assert [path.name for path in tmp_path.iterdir()] == [name.replace("%25", "%")]


def test_the_options_reach_the_connections(backend_name: str, url: str) -> None:
    chosen = {"busy_timeout": 1.5, "wal_autocheckpoint": 77, "synchronous": "normal"}
    wanted = {
        "busy_timeout": 1500,
        "wal_autocheckpoint": 77,
        "synchronous": 1,
        "foreign_keys": 1,
        "journal_mode": "wal",
    }
    with asm.open_backend(backend_name, url=url, migrate=True, **chosen) as backend:
        for use in (backend._database.read, backend._database.write):
            with use() as connection:
                found = {name: connection.execute_sql(f"PRAGMA {name}").fetchone()[0] for name in wanted}
                assert found == wanted


def test_a_writer_waits_at_most_for_its_timeout(backend_name: str, url: str, tmp_path: Path) -> None:
    with asm.open_backend(backend_name, url=url, migrate=True, busy_timeout=0.05) as backend:
        with closing(sqlite3.connect(tmp_path / "asm.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(asm.StorageConnectionError, match=r"busy.*raise busy_timeout") as raised:
                backend.session_store.save_session(asm.Session.new(agent_id="a"))
        assert raised.value.retryable
        assert backend.session_store.save_session(asm.Session.new(agent_id="a"))


@pytest.mark.parametrize("notices", ["a reader", "a writer"])
def test_nothing_is_written_to_a_file_that_was_replaced(
    backend_name: str, url: str, tmp_path: Path, notices: str
) -> None:
    with asm.open_backend(backend_name, url=url, migrate=True) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        asm.open_backend(backend_name, url=f"sqlite:///{tmp_path}/b.db", migrate=True).close()
        for path in tmp_path.glob("asm.db*"):
            path.unlink()
        (tmp_path / "b.db").rename(tmp_path / "asm.db")
        event = asm.Event.new(type="message_sent", session_id=session.id)
        store = backend.session_store
        ask = {"a reader": store.list_sessions, "a writer": lambda: store.append_event(event)}[notices]
        with pytest.raises(asm.StorageConnectionError, match="was removed or replaced while it was in use"):
            ask()
        with pytest.raises(asm.SessionNotFoundError):
            backend.session_store.append_event(event)
        backend.session_store.save_session(session)
        backend.session_store.append_event(event)
    with asm.open_backend(backend_name, url=url) as backend:
        assert backend.session_store.get_latest_sequence(session.id) == 1
