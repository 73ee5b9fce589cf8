"""A database that may only be read, on an engine of the application's."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from sqlalchemy import Engine


def read_only(url: str) -> Engine:
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{url[10:]}?mode=ro", uri=True))


def test_a_read_only_database_can_be_read_and_rejects_writes(backend: asm.Backend, url: str) -> None:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    engine = read_only(url)
    reader = SQLModelBackend(engine)
    assert reader.session_store.get_session(session.id) == session
    with pytest.raises(asm.StorageError, match="the database is read-only; check the permissions") as raised:
        reader.session_store.append_event(asm.Event.new(type="message_sent", session_id=session.id))
    assert not raised.value.retryable
    engine.dispose()
