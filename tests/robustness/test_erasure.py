"""Erased content is in no byte of a SQLite file or its write-ahead log."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PERSONAL = "f3a9-secret-"
EVENTS = 400


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    with asm.open_backend(request.param, url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
        yield backend


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.glob("asm.db*")) if not file.name.endswith("-shm"))


def secretive(store: asm.SessionStore, session: asm.Session) -> list[asm.Event]:
    """Append events of many sizes, every third of which is secret, so that pages split and overflow."""
    sizes = random.Random(7)  # noqa: S311  no secret
    events = [
        asm.Event.new(
            type="message_sent" if place % 3 else "message_streamed",
            session_id=session.id,
            data={"content": (PERSONAL if place % 3 == 0 else "public-") * sizes.choice([1, 3, 9, 40, 900])},
            metadata={"copy": PERSONAL if place % 3 == 0 else ""},
        )
        for place in range(EVENTS)
    ]
    sizes.shuffle(events)
    for start in range(0, EVENTS, 7):
        store.append_events(events[start : start + 7])
    return [event for event in events if event.type == "message_streamed"]


def delete(backend: asm.Backend, session: asm.Session, _: list[asm.Event]) -> Any:
    return backend.session_store.delete_events(session.id, type="message_streamed")


def redact(backend: asm.Backend, session: asm.Session, secret: list[asm.Event]) -> Any:
    return backend.session_store.redact_events(session.id, [event.id for event in secret], data={"content": "removed"})


def prune(backend: asm.Backend, session: asm.Session, secret: list[asm.Event]) -> Any:
    policy = asm.RetentionPolicy(max_events_per_session=EVENTS - len(secret))
    return backend.maintenance.prune_session_events(session.id, policy)


@pytest.mark.parametrize("erase", [delete, redact, prune])
def test_erased_content_is_in_no_file(
    backend: asm.Backend, tmp_path: Path, erase: Callable[[asm.Backend, asm.Session, list[asm.Event]], Any]
) -> None:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    secret = secretive(backend.session_store, session)
    assert PERSONAL.encode() in bytes_of(tmp_path)
    erased = erase(backend, session, secret)
    assert (erased, erased.is_pending) == (len(secret), False)
    content = bytes_of(tmp_path)
    assert PERSONAL.encode() not in content
    assert b"public-" in content


def test_an_open_reader_makes_the_erasure_pending(backend: asm.Backend, tmp_path: Path) -> None:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    secret = secretive(backend.session_store, session)
    reader = sqlite3.connect(tmp_path / "asm.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM asm_events").fetchall()
    erased = delete(backend, session, secret)
    assert (erased, erased.is_pending) == (len(secret), True)
    assert not backend.maintenance.finish_erasure()
    assert PERSONAL.encode() in bytes_of(tmp_path)
    reader.close()
    assert backend.maintenance.finish_erasure()
    assert PERSONAL.encode() not in bytes_of(tmp_path)


def test_an_erasure_in_a_transaction_is_pending_until_it_ends(backend: asm.Backend, tmp_path: Path) -> None:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    secret = secretive(backend.session_store, session)
    with backend.transaction():
        assert redact(backend, session, secret).is_pending
    assert backend.maintenance.finish_erasure()
    assert PERSONAL.encode() not in bytes_of(tmp_path)
