"""Right answers over many rows: 400 sessions, 1,000 runs and 20,000 events, times `--soak` (50: a million events)."""

# ruff: noqa: S608  questions are put together from constants

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import plain_sql
import pytest
from bare import ask
from plain_sql import number, time
from seeded import new_store  # noqa: F401  a fixture
from seeding import LONG, START, sizes

import asm_core as asm
from asm_core.querying.pages import all_items
from asm_core.querying.queries import EVENT_ORDERS, RUN_ORDERS, SESSION_ORDERS
from asm_core.sql import Dialect, codec_of
from asm_core.sql.schema.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS
from asm_core.transfer import dump_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from seeded import NewStore

MIDDLE = START + timedelta(days=80)
LATER = START + timedelta(days=90)
SHORT = "ses_0000007"
"""A session whose first ten events were pruned."""
SEARCHES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "search_sessions": (
        SESSION_ORDERS,
        [
            {},
            {"include_deleted": True},
            {"agent_id": "agent 0"},
            {"user_id": "user 3"},
            {"user_id": ["user 4", "user 5"], "active_after": MIDDLE},
            {"parent_session_id": ["ses_0000012", "ses_0000022"]},
            {"status": ["active", "paused"]},
            {"provider": "gemini"},
            {"tags": ["batch", "nightly"]},
            {"created_after": MIDDLE, "created_before": LATER},
            {"agent_id": "agent 0", "status": "completed", "tags": "review"},
        ],
    ),
    "search_runs": (
        RUN_ORDERS,
        [
            {},
            {"session_id": LONG},
            {"provider": ["local", "gemini"]},
            {"status": "failed"},
            {"min_tokens": 4_000},
            {"started_after": MIDDLE, "started_before": LATER},
            {"session_id": LONG, "provider": "openai", "status": "completed"},
        ],
    ),
    "search_events": (
        EVENT_ORDERS,
        [
            {},
            {"session_ids": LONG},
            {"session_ids": [LONG, SHORT, "ses_0000008"], "types": "message_sent"},
            {"run_ids": ["run_0000001", "run_0000150"]},
            {"types": ["run_failed", "error_occurred"]},
            {"providers": "local"},
            {"correlation_id": "corr_0000007"},
            {"since": MIDDLE, "until": LATER},
            {"session_ids": LONG, "since": START + timedelta(days=31)},
        ],
    ),
}
WALKS = [
    pytest.param(method, order, filters, id=f"{method[7:]}-{order}-{'+'.join(filters) or 'all'}")
    for method, (orders, choices) in SEARCHES.items()
    for order in orders
    for filters in choices
]


@pytest.fixture(params=[("sqlite", "sqlmodel"), ("postgresql", "peewee"), ("postgresql", "pony")], ids="-".join)
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a database and a backend: each driver once, because the SQL is that of core."""
    database, backend = request.param
    return database, backend


@pytest.fixture
def database(place: tuple[str, str]) -> str:
    return place[0]


@pytest.fixture
def backend_name(place: tuple[str, str]) -> str:
    return place[1]


@pytest.fixture(scope="module")
def stores(new_store: NewStore) -> Callable[[str, float], str]:  # noqa: F811  the fixture
    return cache(new_store)


@pytest.fixture
def url(stores: Callable[[str, float], str], database: str, soak: int) -> str:
    return stores(database, float(soak))


@pytest.mark.parametrize("columns", [SESSION_COLUMNS, RUN_COLUMNS, EVENT_COLUMNS], ids=["sessions", "runs", "events"])
def test_the_rows_are_what_the_ports_would_write(url: str, database: str, columns: tuple[str, ...]) -> None:
    kind = {SESSION_COLUMNS: "session", RUN_COLUMNS: "run", EVENT_COLUMNS: "event"}[columns]
    codec, dialect = codec_of(Dialect(database)), Dialect(database)
    texts = ("metadata", "context", "tags", "input", "output", "error", "token_usage", "provider_metadata", "data")
    selected = [f"CAST({name} AS text)" if name in texts else name for name in columns]
    for row in ask(url, f"SELECT {', '.join(selected)} FROM asm_{kind}s ORDER BY id LIMIT 200"):
        model = getattr(codec, kind)(row)
        again = getattr(codec, f"{kind}_row")(model.checked())
        same = [name for name in columns if not (name == "tags" and dialect is Dialect.POSTGRESQL)]
        assert [again[columns.index(name)] for name in same] == [row[columns.index(name)] for name in same]


def test_the_store_is_healthy(backend: asm.Backend) -> None:
    assert backend.maintenance.health_check() == []


@pytest.mark.parametrize(("method", "order", "filters"), WALKS)
def test_pages_give_all_there_is(  # noqa: PLR0917  fixtures
    url: str, backend: asm.Backend, soak: int, method: str, order: str, filters: dict[str, Any]
) -> None:
    search = getattr(backend.query_api, method)
    expected = plain_sql.found(url, method, order, filters)
    assert [item.id for item in all_items(search, order_by=order, limit=500 * soak, **filters)] == expected
    if method == "search_sessions":
        assert search(order_by=order, limit=1, count=True, **filters).total_count == len(expected)


def test_lists_give_all_there_is(url: str, backend: asm.Backend) -> None:
    store = backend.session_store
    for filters in ({}, {"agent_id": "agent 0"}, {"status": ["pending", "active"]}):
        expected = plain_sql.found(url, "search_sessions", "created_at_desc", filters)
        assert [session.id for session in store.list_sessions(**filters)] == expected
        assert [session.id for session in store.list_sessions(**filters, limit=7, offset=20)] == expected[20:27]
    runs = plain_sql.found(url, "search_runs", "started_at_asc", {"session_id": LONG})
    assert [run.id for run in store.list_runs(LONG)] == runs


@pytest.mark.parametrize("filters", SEARCHES["search_events"][1], ids="+".join)
def test_events_are_counted(url: str, backend: asm.Backend, filters: dict[str, Any]) -> None:
    counted = number(url, f"SELECT COUNT(*) FROM asm_events WHERE {plain_sql.where('search_events', filters)}")
    assert backend.query_api.count_events(**filters) == counted


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({}, "1 = 1"),
        ({"session_id": LONG}, f"session_id = '{LONG}'"),
        ({"provider": ["openai", "local"]}, "provider IN ('openai', 'local')"),
        ({"agent_id": "agent 0"}, "session_id IN (SELECT id FROM asm_sessions WHERE agent_id = 'agent 0')"),
        ({"since": MIDDLE, "until": LATER}, f"started_at >= {time(MIDDLE)} AND started_at < {time(LATER)}"),
    ],
    ids=["all", "session", "provider", "agent", "time"],
)
def test_usage_and_costs_are_added_up(url: str, backend: asm.Backend, filters: dict[str, Any], condition: str) -> None:
    rows = ask(
        url,
        "SELECT COALESCE(provider, ''), COALESCE(model, ''), COUNT(*), SUM(input_tokens), SUM(output_tokens), "
        "SUM(total_tokens), SUM(COALESCE(cost_nanos, 0)), SUM(CASE WHEN cost_nanos IS NULL THEN 1 ELSE 0 END) "
        f"FROM asm_runs WHERE {condition} GROUP BY provider, model",
    )
    expected = sorted(tuple(value if isinstance(value, str) else int(value) for value in row) for row in rows)
    usage, costs = backend.query_api.get_usage_summary(**filters), backend.query_api.get_cost_summary(**filters)
    found = [
        (one.provider or "", one.model or "", one.run_count, one.input_tokens, one.output_tokens, one.total_tokens)
        for one in usage.rows
    ]
    assert found == [row[:6] for row in expected]
    assert [(row.cost_usd, row.unpriced_run_count) for row in costs.rows] == [
        (Decimal(nanos).scaleb(-9), unpriced) for *_, nanos, unpriced in expected
    ]
    assert (usage.run_count, usage.total_tokens) == (sum(row[2] for row in expected), sum(row[5] for row in expected))


@pytest.mark.parametrize("session_id", [LONG, SHORT])
def test_a_session_in_numbers(url: str, backend: asm.Backend, session_id: str) -> None:
    stats = backend.query_api.get_session_stats(session_id)
    runs = dict(ask(url, f"SELECT status, COUNT(*) FROM asm_runs WHERE session_id = '{session_id}' GROUP BY status"))
    events = number(url, f"SELECT COUNT(*) FROM asm_events WHERE session_id = '{session_id}'")
    tokens = number(url, f"SELECT SUM(total_tokens) FROM asm_runs WHERE session_id = '{session_id}'")
    assert (stats.event_count, stats.runs_by_status, stats.total_tokens) == (events, runs, tokens)
    last = backend.session_store.get_latest_sequence(session_id)
    assert last == number(url, f"SELECT MAX(sequence_number) FROM asm_events WHERE session_id = '{session_id}'")


def test_a_long_log_is_read_followed_and_exported_whole(url: str, backend: asm.Backend, soak: int) -> None:
    store, whole = backend.session_store, plain_sql.found(url, "search_events", "sequence_asc", {"session_ids": LONG})
    assert [event.id for event in store.get_events(LONG)] == whole
    assert [event.id for event in store.get_events(LONG, after=len(whole) - 3)] == whole[-3:]
    assert [event.id for event in store.follow_events(LONG, idle_timeout=0.0)] == whole
    assert [event.id for event in backend.query_api.export_session(LONG).events] == whole
    file = io.BytesIO()
    report = dump_session(backend, LONG, file)
    assert (report.runs, report.events) == (sizes(soak).long_runs, len(whole))
    assert file.getvalue().count(b'\n{"event":{"id":"evt_') == len(whole)


def test_a_dry_run_reports_what_would_be_done(url: str, backend: asm.Backend, soak: int) -> None:
    days = (datetime.now(UTC) - MIDDLE).days
    policy = asm.RetentionPolicy(
        max_completed_session_age_days=days, hard_delete_after_days=days, max_events_per_session=100
    )
    cut = time(datetime.now(UTC) - timedelta(days=days))
    exempt = "status NOT IN ('active', 'paused') AND CAST(tags AS text) NOT LIKE '%\"pinned\"%'"
    report = backend.maintenance.execute(policy, dry_run=True)
    ended = f"status IN ('completed', 'failed', 'cancelled') AND updated_at < {cut} AND deleted_at IS NULL"
    assert report.sessions_soft_deleted == number(url, f"SELECT COUNT(*) FROM asm_sessions WHERE {exempt} AND {ended}")
    gone = f"SELECT COUNT(*) FROM asm_sessions WHERE {exempt} AND deleted_at < {cut}"
    assert report.sessions_hard_deleted == number(url, gone)
    assert report.events_pruned == len(going(url, sizes(soak).long_events - 100))
    assert backend.maintenance.health_check() == []


def going(url: str, excess: int) -> set[str]:
    """Return the ids of the events of the long session that go when so many are too many."""
    kept = {"session_created", "run_started", "run_completed", "run_failed", "error_occurred"}
    streamed, others = list[list[str]](), list[list[str]]()
    open_calls: dict[str, list[list[str]]] = {}
    rows = ask(
        url,
        "SELECT e.id, e.type, COALESCE(e.run_id, ''), COALESCE(r.status, 'completed') FROM asm_events e "
        f"LEFT JOIN asm_runs r ON r.id = e.run_id WHERE e.session_id = '{LONG}' ORDER BY e.sequence_number",
    )
    stays = []
    for name, kind, run, status in rows:
        calls = open_calls.setdefault(run, [])
        if kind in {"tool_call_completed", "tool_call_failed"} and calls:
            calls.pop(0).append(name)
            continue
        unit = [name]
        if kind == "tool_call_started":
            calls.append(unit)
            stays += [unit] if status in {"pending", "running"} else []
        if kind not in kept:
            (streamed if kind in {"message_streamed", "token_usage_updated"} else others).append(unit)
    gone = set[str]()
    for unit in streamed + others:
        if len(gone) < excess and not (len(unit) == 1 and unit in stays):
            gone.update(unit)
    return gone


def test_a_long_session_is_pruned_from_its_oldest_events_and_removed(
    new_store: NewStore,  # noqa: F811  the fixture
    backend_name: str,
    database: str,
    soak: int,
) -> None:
    url, size = new_store(database, soak), sizes(soak)
    most = size.long_events // 2
    listed = f"SELECT id FROM asm_events WHERE session_id = '{LONG}'"
    gone = going(url, size.long_events - most)
    expected = {name for (name,) in ask(url, listed)} - gone
    with asm.open_backend(backend_name, url=url) as backend:
        policy = asm.RetentionPolicy(max_events_per_session=most)
        assert backend.maintenance.prune_session_events(LONG, policy) == len(gone)
        assert {name for (name,) in ask(url, listed)} == expected
        assert backend.session_store.get_latest_sequence(LONG) == size.long_events
        backend.session_store.delete_session(LONG)
        assert number(url, "SELECT COUNT(*) FROM asm_events") == size.events - size.long_events
        assert backend.maintenance.health_check() == []
