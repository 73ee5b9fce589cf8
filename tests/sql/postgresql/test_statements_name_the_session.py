"""Statements about events and runs name the session, as partitioned and distributed tables need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, make_url

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = re.compile(r"(?<!INTO )\basm_(?:events|runs)\b(?: AS)?(?: ([a-z])\b)?")
"""A table of a session's rows in a statement, with its alias; an INSERT has the session among its values."""
LARGEST = 1 << 62
"""Below it, the sum of LIMIT and OFFSET, which a coordinator calculates, has 64 bits."""


@pytest.fixture
def sent(postgresql_url: str) -> Iterator[tuple[asm.Backend, list[str]]]:
    """Return a backend, and the statements that it sends."""
    engine = create_engine(make_url(postgresql_url).set(drivername="postgresql+psycopg"))
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(" ".join(statement.split()))

    with SQLModelBackend(engine, migrate=True) as backend:
        event.listen(engine, "before_cursor_execute", note)
        yield backend, statements
    engine.dispose()


def fill(store: asm.SessionStore) -> tuple[str, asm.Run, list[asm.StoredEvent]]:
    """Write a session in every way; return its id, its run and its events."""
    session = store.save_session(asm.Session.new(agent_id="a"))
    other = store.save_session(asm.Session.new(agent_id="a"))
    run = store.save_run(asm.Run.new(session_id=session.id))
    run = store.save_run(run, expected_revision=run.revision)
    new = [asm.Event.new(type="message_sent", session_id=session.id, run_id=run.id) for _ in range(9)]
    elsewhere = asm.Event.new(type="message_sent", session_id=other.id)
    stored = [store.append_event(new[0]), *store.append_events(new[1:5])]
    store.append_events([elsewhere, *new[5:7]])
    store.append_event(new[0])
    store.flush(asm.ExecutionResult(session=session, run=run, events=tuple(new[7:])))
    return session.id, run, stored


def use(backend: asm.Backend) -> None:
    """Read and remove in every way that knows the session."""
    store = backend.session_store
    session_id, run, stored = fill(store)
    store.get_events(session_id, run_id=run.id, limit=3)
    store.get_events(session_id, type="message_sent", after=1, order="desc")
    store.get_event(stored[0].id, session_id=session_id)
    store.list_runs(session_id)
    store.get_active_run(session_id)
    store.fork_session(session_id)
    store.redact_events(session_id, [stored[1].id])
    store.delete_events(session_id, ids=[stored[2].id])
    backend.query_api.search_events(session_ids=[session_id], limit=2)
    backend.query_api.get_session_stats(session_id)
    backend.query_api.export_session(session_id)
    backend.maintenance.execute(asm.RetentionPolicy(max_events_per_session=2))
    store.delete_session(session_id)


def test_reads_and_writes_name_the_session(sent: tuple[asm.Backend, list[str]]) -> None:
    backend, statements = sent
    use(backend)
    unnamed = [
        statement
        for statement in statements
        for alias in set(ROWS.findall(statement))
        if not alias or not re.search(rf"\b{alias}\.session_id (?:=|IN)", statement)
    ]
    assert unnamed == []
    seen = "\n".join(statements)
    assert all(f"{verb} asm_{table}" in seen for verb in ("INSERT INTO", "DELETE FROM") for table in ("events", "runs"))


def test_limits_leave_room_for_an_offset(sent: tuple[asm.Backend, list[str]]) -> None:
    backend, statements = sent
    use(backend)
    backend.session_store.list_sessions(offset=5)
    assert [one for one in statements if any(int(number) >= LARGEST for number in re.findall(r"\d+", one))] == []


def test_search_for_orphaned_artifacts_is_not_correlated(sent: tuple[asm.Backend, list[str]]) -> None:
    backend, statements = sent
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    place = {"storage_backend": "disk", "storage_ref": "k", "checksum_sha256": "0" * 64}
    backend.artifact_registry.register(asm.Artifact.new(session_id=session.id, key="k", byte_size=1, **place))
    backend.session_store.delete_session(session.id)
    statements.clear()
    assert backend.maintenance.clean_orphaned_artifacts() == 1
    assert [one for one in statements if "EXISTS" in one] == []
