"""What the ports ask is answered through an index, as EXPLAIN QUERY PLAN tells on a database of a few thousand rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event as listening

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SESSIONS = 200
START = datetime(2026, 1, 1, tzinfo=UTC)
SESSION, RUN = "ses_100", "run_100_1"
SCAN = re.compile(r"SCAN asm_\w+$")

# What is asked, and the index that answers it. "log" is the one that numbers a session's events.
INDEXES = {"log": "sqlite_autoindex_asm_events_2"}
ASKED: dict[str, tuple[Callable[[asm.Backend], Any], str]] = {
    "a page of sessions by creation": (lambda b: page(b.query_api.search_sessions, "created_at_asc"), "by_creation"),
    "a page of sessions by creation, back": (
        lambda b: page(b.query_api.search_sessions, "created_at_desc"),
        "by_creation",
    ),
    "a page of sessions by update": (lambda b: page(b.query_api.search_sessions, "updated_at_desc"), "by_update"),
    "a list of sessions": (lambda b: b.session_store.list_sessions(limit=10), "by_creation"),
    "sessions of an agent": (lambda b: b.query_api.search_sessions(agent_id="agent 3"), "by_agent"),
    "sessions in a status": (lambda b: b.query_api.search_sessions(status="active"), "by_status"),
    "sessions with runs of a provider": (lambda b: b.query_api.search_sessions(provider="p1"), "runs_of_session"),
    "a page of runs by start": (lambda b: page(b.query_api.search_runs, "started_at_asc"), "runs_by_start"),
    "a page of runs by start, back": (lambda b: page(b.query_api.search_runs, "started_at_desc"), "runs_by_start"),
    "a page of runs by tokens": (lambda b: page(b.query_api.search_runs, "token_usage_desc"), "runs_by_tokens"),
    "runs of a provider": (lambda b: b.query_api.search_runs(provider="p1"), "runs_by_provider"),
    "runs in a status": (lambda b: b.query_api.search_runs(status="running"), "runs_by_status"),
    "runs of a session": (lambda b: b.session_store.list_runs(SESSION), "runs_of_session"),
    "runs of a session in a status": (
        lambda b: b.session_store.list_runs(SESSION, status="completed"),
        "runs_of_session",
    ),
    "runs of a session by a provider": (
        lambda b: b.query_api.search_runs(session_id=SESSION, provider="p1"),
        "runs_of_session",
    ),
    "the active run": (lambda b: b.session_store.get_active_run(SESSION), "runs_of_session"),
    "a page of events": (lambda b: page(b.query_api.search_events, "sequence_asc"), "log"),
    "a page of events by time": (lambda b: page(b.query_api.search_events, "timestamp_asc"), "events_by_time"),
    "a page of events by time, back": (lambda b: page(b.query_api.search_events, "timestamp_desc"), "events_by_time"),
    "a log from a number on": (lambda b: b.session_store.get_events(SESSION, after=3), "log"),
    "a log of a run": (lambda b: b.session_store.get_events(SESSION, run_id=RUN), "log"),
    "events of sessions": (lambda b: b.query_api.search_events(session_ids=[SESSION, "ses_7"]), "log"),
    "events of a run": (lambda b: b.query_api.search_events(run_ids=[RUN]), "events_of_run"),
    "correlated events": (lambda b: b.query_api.search_events(correlation_id="c 3"), "events_correlated"),
    "how many are correlated": (lambda b: b.query_api.count_events(correlation_id="c 3"), "events_correlated"),
    "events since then by time": (
        lambda b: b.query_api.search_events(since=START, order_by="timestamp_asc"),
        "events_by_time",
    ),
    "the numbers of a session": (lambda b: b.query_api.get_session_stats(SESSION), "runs_of_session"),
    "the usage of a session": (lambda b: b.query_api.get_usage_summary(session_id=SESSION), "runs_of_session"),
    "the usage of an agent": (lambda b: b.query_api.get_usage_summary(agent_id="agent 3"), "runs_of_session"),
    "the usage of a provider": (lambda b: b.query_api.get_usage_summary(provider="p1"), "runs_by_provider"),
    "artifacts of a session": (lambda b: b.artifact_registry.list_by_session(SESSION), "artifacts_of_session"),
    "an artifact": (lambda b: b.artifact_registry.get_by_key("key 1"), "sqlite_autoindex_asm_artifacts_2"),
    "a session to be deleted": (lambda b: b.session_store.delete_session("ses_0"), "runs_of_session"),
}


def page(search: Callable[..., Any], order: str) -> None:
    assert search(order_by=order, limit=5, cursor=search(order_by=order, limit=5).cursor)


def seed(backend: asm.Backend) -> None:
    store = backend.session_store
    for number in range(SESSIONS):
        at = START + timedelta(hours=number)
        status = ("active", "completed", "failed")[number % 3]
        session = asm.Session.new(id=f"ses_{number}", agent_id=f"agent {number % 20}", status=status, created_at=at)
        store.save_session(session)
        for turn in range(3):
            run = asm.Run.new(
                id=f"run_{number}_{turn}",
                session_id=session.id,
                provider=f"p{turn}",
                token_usage={"total_tokens": number * turn},
                cost_usd=Decimal("0.5"),
                started_at=at,
            )
            store.save_run(run)
            store.append_events(
                asm.Event.new(
                    type="message_sent",
                    session_id=session.id,
                    run_id=run.id,
                    correlation_id=f"c {number}",
                    timestamp=at,
                )
                for _ in range(4)
            )
    backend.artifact_registry.register(
        asm.Artifact.new(
            session_id=SESSION, key="key 1", byte_size=1, checksum_sha256="0" * 64, storage_backend="s", storage_ref="r"
        )
    )


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[asm.Backend]:
    url = f"sqlite:///{tmp_path_factory.mktemp('plans')}/asm.db"
    with asm.open_backend("sqlmodel", url=url, migrate=True, synchronous="normal") as backend:
        with backend.transaction():
            seed(backend)
        yield backend


def plans(backend: Any, ask: Callable[[asm.Backend], Any]) -> list[list[str]]:
    """Return how the statements are answered that are sent while something is asked."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    engine = backend._database._engine
    listening.listen(engine, "before_cursor_execute", note)
    try:
        ask(backend)
    finally:
        listening.remove(engine, "before_cursor_execute", note)
    with backend._database.read() as connection:
        driver = connection.connection.connection.dbapi_connection
        return [[row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {one}", values)] for one, values in sent]


@pytest.mark.parametrize("what", ASKED)
def test_an_index_answers_it(seeded: asm.Backend, what: str) -> None:
    ask, index = ASKED[what]
    found = plans(seeded, ask)
    assert any(INDEXES.get(index, index) in step for plan in found for step in plan), found


@pytest.mark.parametrize("what", [name for name in ASKED if "sessions" not in name])
def test_no_table_is_gone_through_row_by_row(seeded: asm.Backend, what: str) -> None:
    # Sessions are counted for the page's total_count, which goes through all of them.
    assert not [step for plan in plans(seeded, ASKED[what][0]) for step in plan if SCAN.match(step)]


@pytest.mark.parametrize("what", [name for name in ASKED if name.startswith("a page of")])
def test_a_page_is_not_sorted(seeded: asm.Backend, what: str) -> None:
    found = plans(seeded, ASKED[what][0])
    assert not [step for plan in found for step in plan if "TEMP B-TREE" in step]


@pytest.mark.parametrize("what", [name for name in ASKED if name.startswith("a page of")])
def test_a_later_page_begins_where_the_one_before_ended(seeded: asm.Backend, what: str) -> None:
    found = plans(seeded, ASKED[what][0])
    assert any(
        "SEARCH" in step and re.search(r"\(\(.*id.*\)|\(\(.*sequence_number\)", step) for p in found for step in p
    )
