"""The text index of SQLite: what erasure leaves in the file, and other writers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PERSONAL = "f3a9secret"
INSERT = "INSERT {0}INTO asm_events VALUES (?, 's', ?, 'message_sent', ?, NULL, ?, '{{}}', 1, NULL, NULL)"
TIME = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[asm.Backend]:
    """Return a store with a text index and one session."""
    with asm.open_backend("peewee", url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
        backend.migrate(text_search=True)
        backend.session_store.save_session(asm.Session.new(agent_id="a", id="s"))
        yield backend


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.glob("asm.db*")) if not file.name.endswith("-shm"))


def found(backend: asm.Backend, text: str) -> list[str]:
    return [event.id for event in backend.query_api.search_text(text, order_by="sequence_asc", limit=500).items]


def secretive(store: asm.SessionStore) -> list[str]:
    """Append events, every third of which has a word of its own that is secret; return the ids of those."""
    events = [
        asm.Event.new(
            type="message_sent" if place % 3 else "message_streamed",
            session_id="s",
            data={"content": f"public {PERSONAL}{place}" if place % 3 == 0 else f"public word{place}"},
        )
        for place in range(400)
    ]
    for start in range(0, len(events), 7):
        store.append_events(events[start : start + 7])
    return [event.id for event in events if event.type == "message_streamed"]


def delete(backend: asm.Backend, _: list[str]) -> Any:
    backend.session_store.delete_events("s", type="message_streamed")


def redact(backend: asm.Backend, secret: list[str]) -> Any:
    backend.session_store.redact_events("s", secret)


def prune(backend: asm.Backend, secret: list[str]) -> Any:
    backend.maintenance.prune_session_events("s", asm.RetentionPolicy(max_events_per_session=400 - len(secret)))


def remove(backend: asm.Backend, _: list[str]) -> Any:
    backend.session_store.delete_session("s")
    backend.maintenance.finish_erasure()


@pytest.mark.parametrize("erase", [delete, redact, prune, remove])
def test_erased_words_are_in_no_file(
    backend: asm.Backend, tmp_path: Path, erase: Callable[[asm.Backend, list[str]], Any]
) -> None:
    secret = secretive(backend.session_store)
    assert found(backend, f"{PERSONAL}*") == secret
    assert PERSONAL.encode() in bytes_of(tmp_path)
    erase(backend, secret)
    assert found(backend, f"{PERSONAL}*") == []
    assert PERSONAL.encode() not in bytes_of(tmp_path)
    assert backend.maintenance.health_check() == []


def test_a_removed_index_leaves_no_word(backend: asm.Backend, tmp_path: Path) -> None:
    secretive(backend.session_store)
    backend.migrate(text_search=False)
    backend.session_store.delete_events("s", type="message_streamed")
    assert PERSONAL.encode() not in bytes_of(tmp_path)


@pytest.fixture
def by_hand(backend: asm.Backend, tmp_path: Path) -> Iterator[sqlite3.Connection]:  # noqa: ARG001  makes the file
    """Return a connection of another program."""
    with closing(sqlite3.connect(tmp_path / "asm.db", isolation_level=None)) as connection:
        yield connection


def test_statements_of_other_programs_keep_the_index(backend: asm.Backend, by_hand: sqlite3.Connection) -> None:
    rows = [(f"e{number}", number, TIME, f'{{"a": "first\\nword{number}"}}') for number in range(1, 6)]
    by_hand.executemany(INSERT.format(""), rows)
    assert found(backend, "word2") == ["e2"]
    by_hand.execute("UPDATE asm_events SET data = '{\"a\": \"changed\"}' WHERE id = 'e2'")
    by_hand.execute("UPDATE asm_session_sequences SET last_sequence = 5")
    by_hand.execute("UPDATE asm_events SET id = 'e6' WHERE id = 'e3'")
    by_hand.execute("DELETE FROM asm_events WHERE id = 'e4'")
    by_hand.execute(INSERT.format("OR IGNORE "), rows[0])
    assert (found(backend, "first"), found(backend, "word2"), found(backend, "changed")) == (
        ["e1", "e6", "e5"],
        [],
        ["e2"],
    )
    assert (found(backend, "word3"), found(backend, "word4")) == (["e6"], [])
    assert backend.maintenance.health_check() == []


def test_replaced_rows_are_found_by_their_new_words(backend: asm.Backend, by_hand: sqlite3.Connection) -> None:
    by_hand.execute(INSERT.format(""), ("e1", 1, TIME, '{"a": "old"}'))
    by_hand.execute(INSERT.format(""), ("e2", 2, TIME, '{"a": "other"}'))
    by_hand.execute(INSERT.format("OR REPLACE "), ("e1", 1, TIME, '{"a": "new"}'))
    by_hand.execute(INSERT.format("OR REPLACE "), ("e3", 2, TIME, '{"a": "third"}'))
    assert [found(backend, text) for text in ("old", "new", "other", "third")] == [[], ["e1"], [], ["e3"]]
    by_hand.execute("UPDATE asm_session_sequences SET last_sequence = 2")
    # SQLite runs no trigger for a row that another one replaces.
    [fault] = backend.maintenance.health_check()
    assert "has event e2, which does not exist" in fault


def test_rows_that_are_not_json_are_candidates_of_each_search(
    backend: asm.Backend, by_hand: sqlite3.Connection
) -> None:
    by_hand.execute(INSERT.format(""), ("e1", 1, TIME, "word"))
    with pytest.raises(asm.StorageError, match="cannot be read"):
        found(backend, "word")
    by_hand.execute("DELETE FROM asm_events")
    assert backend.maintenance.health_check() == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("DROP TRIGGER asm_text_appended", "has no trigger asm_text_appended"),
        ("DELETE FROM asm_texts WHERE event_id = 'e1'", "does not have event e1"),
        ("UPDATE asm_text_index SET is_complete = 0", "incomplete"),
    ],
)
def test_a_health_check_finds_a_damaged_index(
    backend: asm.Backend, by_hand: sqlite3.Connection, damage: str, sentence: str
) -> None:
    by_hand.execute(INSERT.format(""), ("e1", 1, TIME, '{"a": "word"}'))
    by_hand.execute("UPDATE asm_session_sequences SET last_sequence = 1")
    assert backend.maintenance.health_check() == []
    by_hand.execute(damage)
    [fault] = backend.maintenance.health_check()
    assert sentence in fault


def test_an_incomplete_index_is_not_used_and_can_be_completed(
    backend: asm.Backend, by_hand: sqlite3.Connection
) -> None:
    by_hand.execute(INSERT.format(""), ("e1", 1, TIME, '{"a": "word"}'))
    by_hand.execute("DELETE FROM asm_texts")
    by_hand.execute("UPDATE asm_text_index SET is_complete = 0")
    assert backend.text_index() is asm.TextIndex.INCOMPLETE
    assert found(backend, "word") == ["e1"]
    backend.migrate(text_search=True)
    assert backend.text_index() is asm.TextIndex.COMPLETE
    assert found(backend, "word") == ["e1"]
