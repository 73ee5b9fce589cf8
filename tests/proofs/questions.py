"""What the ports are asked, over a seeded store, and the index that is to answer it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seeding import LONG, START

import asm_core as asm
from asm_core.integrating import read_latest

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION: Final = "ses_0000005"
RUN: Final = "run_0000150"
CORRELATION: Final = "corr_0000007"
LATE: Final = START + timedelta(days=144)
"""When nearly everything has happened."""
EARLY: Final = START + timedelta(days=1)
"""When next to nothing has."""
EVENT: Final = "evt_0000001"
LOG: Final = "asm_events_session_id_sequence_number_key"
"""What numbers a session's events, as PostgreSQL calls it; SQLite has another name for it."""
EVENTS: Final = "asm_events_pkey"
RECORDS: Final = "asm_state_pkey"
NAMESPACE: Final = "user_0000007"
MANY: Final = 20
"""So many namespaces that the work for each can be measured."""
OF_NOTHING: Final = asm.RetentionPolicy(max_completed_session_age_days=None, hard_delete_after_days=None)


class Question(NamedTuple):
    """What is asked, and the indexes any of which may answer it.

    Attributes:
        whole: the tables all of which an answer needs, or as good as all.
    """

    ask: Callable[[asm.Backend], Any]
    indexes: tuple[str, ...]
    whole: tuple[str, ...] = ()


def undone(backend: asm.Backend, change: Callable[[], object]) -> None:
    """Change what all tests of a module share, and take it back."""
    with suppress(ZeroDivisionError), backend.transaction():
        change()
        raise ZeroDivisionError


class Pages(NamedTuple):
    """A listing in pages, and the index that gives it in its order."""

    method: str
    order: str
    index: str
    filters: dict[str, Any] = {}  # noqa: RUF012  never changed

    def page(self, backend: asm.Backend, *, limit: int = 5, cursor: str | None = None) -> asm.Page[Any]:
        page: asm.Page[Any] = getattr(backend.query_api, self.method)(
            order_by=self.order, limit=limit, cursor=cursor, **self.filters
        )
        return page

    @property
    def whole(self) -> tuple[str, ...]:
        return ()


def sessions(order: str, index: str, **filters: Any) -> Pages:
    return Pages("search_sessions", order, f"asm_sessions_{index}", filters)


def runs(order: str, index: str, **filters: Any) -> Pages:
    return Pages("search_runs", order, f"asm_runs_{index}", filters)


def events(order: str, index: str, **filters: Any) -> Pages:
    return Pages("search_events", order, index, filters)


PAGES: Final = {
    "sessions by creation": sessions("created_at_asc", "by_creation"),
    "sessions by creation, back": sessions("created_at_desc", "by_creation"),
    "sessions by update": sessions("updated_at_desc", "by_update"),
    "sessions by activity": Pages("search_sessions", "active_at_desc", "asm_counters_by_activity"),
    "sessions before then by activity": Pages(
        "search_sessions", "active_at_desc", "asm_counters_by_activity", {"active_before": LATE}
    ),
    "sessions of a user by activity": Pages(
        "search_sessions", "active_at_desc", "asm_counters_of_user", {"user_id": "user 3"}
    ),
    "sessions of a user": sessions("updated_at_desc", "by_user", user_id="user 3"),
    "sessions of a user by creation": sessions("created_at_asc", "of_user", user_id="user 3"),
    "sessions of an agent": sessions("updated_at_desc", "by_agent", agent_id="agent 0"),
    "sessions of an agent by creation": sessions("created_at_desc", "of_agent", agent_id="agent 0"),
    "sessions in a status": sessions("updated_at_desc", "by_status", status="paused"),
    "sessions in a status by creation": sessions("created_at_asc", "in_status", status="paused"),
    "sessions after then": sessions("created_at_asc", "by_creation", created_after=EARLY),
    "sessions before then": sessions("created_at_asc", "by_creation", created_before=LATE),
    "sessions before then, back": sessions("created_at_desc", "by_creation", created_before=LATE),
    "runs by start": runs("started_at_asc", "by_start"),
    "runs by start, back": runs("started_at_desc", "by_start"),
    "runs by tokens": runs("token_usage_desc", "by_tokens"),
    "runs of many tokens": runs("token_usage_desc", "by_tokens", min_tokens=1_000),
    "runs of a session": runs("started_at_asc", "of_session", session_id=LONG),
    "runs of a session, back": runs("started_at_desc", "of_session", session_id=LONG),
    "runs of a provider": runs("started_at_desc", "by_provider", provider="local"),
    "runs in a status": runs("started_at_desc", "by_status", status="running"),
    "runs after then": runs("started_at_asc", "by_start", started_after=EARLY),
    "runs after then, back": runs("started_at_desc", "by_start", started_after=EARLY),
    "runs before then, back": runs("started_at_desc", "by_start", started_before=LATE),
    "events": events("sequence_asc", LOG),
    "events, back": events("sequence_desc", LOG),
    "events of a session, back": events("sequence_desc", LOG, session_ids=LONG),
    "events of sessions, back": events("sequence_desc", LOG, session_ids=[LONG, SESSION]),
    "events of a session": events("sequence_asc", LOG, session_ids=LONG),
    "events of sessions": events("sequence_asc", LOG, session_ids=[LONG, SESSION]),
    "events by time": events("timestamp_asc", "asm_events_by_time"),
    "events by time, back": events("timestamp_desc", "asm_events_by_time"),
    "events since then by time": events("timestamp_asc", "asm_events_by_time", since=EARLY),
    "events since then by time, back": events("timestamp_desc", "asm_events_by_time", since=EARLY),
    "events until then by time": events("timestamp_asc", "asm_events_by_time", until=LATE),
    "events until then by time, back": events("timestamp_desc", "asm_events_by_time", until=LATE),
}
OTHERS: Final = {
    "a list of sessions": Question(lambda b: b.session_store.list_sessions(limit=10), ("asm_sessions_by_creation",)),
    "a list of an agent's sessions": Question(
        lambda b: b.session_store.list_sessions(agent_id="agent 323", limit=10), ("asm_sessions_of_agent",)
    ),
    "a list of sessions in a status": Question(
        lambda b: b.session_store.list_sessions(status="paused", limit=10), ("asm_sessions_in_status",)
    ),
    "sessions with runs of a provider": Question(
        lambda b: b.query_api.search_sessions(provider="local", order_by="updated_at_desc"),
        ("asm_runs_of_session", "asm_runs_by_provider"),
        whole=("asm_sessions",),
    ),
    "sessions with a tag": Question(
        lambda b: b.query_api.search_sessions(tags="pinned", order_by="updated_at_desc"),
        ("asm_sessions_by_tag", "asm_sessions_by_update"),
        whole=("asm_sessions",),
    ),
    "forks of a session": Question(
        lambda b: b.query_api.search_sessions(parent_session_id="ses_0000002", order_by="created_at_asc"),
        ("asm_sessions_of_parent",),
    ),
    "a session": Question(lambda b: b.session_store.get_session(SESSION), ("asm_sessions_pkey",)),
    "a run": Question(lambda b: b.session_store.get_run(RUN), ("asm_runs_pkey",)),
    "runs of a session in a status": Question(
        lambda b: b.session_store.list_runs(LONG, status="completed", limit=5), ("asm_runs_of_session",)
    ),
    "runs of a session by a provider": Question(
        lambda b: b.query_api.search_runs(session_id=SESSION, provider="local"), ("asm_runs_of_session",)
    ),
    "the active run": Question(lambda b: b.session_store.get_active_run(SESSION), ("asm_runs_of_session",)),
    "a log from a number on": Question(lambda b: b.session_store.get_events(LONG, after=3, limit=9), (LOG,)),
    "the last events of a log": Question(lambda b: b.session_store.get_events(LONG, order="desc", limit=9), (LOG,)),
    "an event of a session": Question(lambda b: b.session_store.get_event(EVENT, session_id=LONG), (LOG, EVENTS)),
    "an event": Question(lambda b: b.session_store.get_event(EVENT), (EVENTS,)),
    "the end of a log": Question(lambda b: b.session_store.get_events(SESSION, after=30), (LOG,)),
    "a log of a run": Question(
        lambda b: b.session_store.get_events(SESSION, run_id="run_0000104"), (LOG, "asm_events_of_run")
    ),
    "events of a run": Question(lambda b: b.query_api.search_events(run_ids=[RUN]), ("asm_events_of_run",)),
    "correlated events": Question(
        lambda b: b.query_api.search_events(correlation_id=CORRELATION), ("asm_events_correlated",)
    ),
    "correlated events of a session": Question(
        lambda b: b.query_api.search_events(session_ids=SESSION, correlation_id=CORRELATION), ("asm_events_correlated",)
    ),
    "the latest event and what correlates with it": Question(
        lambda b: read_latest(b.session_store, LONG, "message_sent"), (LOG, "asm_events_correlated")
    ),
    "how many are correlated": Question(
        lambda b: b.query_api.count_events(correlation_id=CORRELATION), ("asm_events_correlated",)
    ),
    "how many events there are of a session": Question(lambda b: b.query_api.count_events(session_ids=SESSION), (LOG,)),
    "how many events there are of late": Question(
        lambda b: b.query_api.count_events(since=LATE), ("asm_events_by_time",)
    ),
    "a session in numbers": Question(lambda b: b.query_api.get_session_stats(SESSION), ("asm_runs_of_session",)),
    "the usage of a session": Question(
        lambda b: b.query_api.get_usage_summary(session_id=SESSION), ("asm_runs_of_session",)
    ),
    "the usage of an agent": Question(
        lambda b: b.query_api.get_usage_summary(agent_id="agent 323"), ("asm_runs_of_session",)
    ),
    "the usage of a provider": Question(
        lambda b: b.query_api.get_usage_summary(provider="local"), ("asm_runs_by_provider",)
    ),
    "the usage of late": Question(lambda b: b.query_api.get_usage_summary(since=LATE), ("asm_runs_by_start",)),
    "the last number": Question(lambda b: b.session_store.get_latest_sequence(SESSION), ("asm_sessions_pkey",)),
    "an export": Question(lambda b: b.query_api.export_session(SESSION), (LOG,)),
    "artifacts of a session": Question(
        lambda b: b.artifact_registry.list_by_session(SESSION), ("asm_artifacts_of_session",)
    ),
    "the locations of artifacts": Question(
        lambda b: b.artifact_registry.registered_refs("disk", ["a", "b"]), ("asm_artifacts_by_ref",)
    ),
    "an artifact": Question(lambda b: b.artifact_registry.get_by_key("key 7"), ("asm_artifacts_key_key",)),
    "a record": Question(lambda b: b.state_store.get(NAMESPACE, "key_0000007"), (RECORDS,)),
    "records of a namespace": Question(lambda b: b.state_store.list(NAMESPACE, prefix="key_00", limit=5), (RECORDS,)),
    "namespaces": Question(lambda b: b.state_store.list_namespaces(limit=MANY), (RECORDS,)),
    "namespaces with a prefix": Question(
        lambda b: b.state_store.list_namespaces(prefix="user_000000", limit=5), (RECORDS,)
    ),
    "what goes with a namespace": Question(
        lambda b: undone(b, lambda: b.state_store.delete_all(NAMESPACE)), (RECORDS,)
    ),
    "records that have expired": Question(
        lambda b: undone(b, b.maintenance.clean_expired_records), ("asm_state_by_expiry",)
    ),
    "how many records have expired": Question(
        lambda b: b.maintenance.execute(OF_NOTHING, dry_run=True).records_removed,
        ("asm_state_by_expiry",),
        whole=("asm_sessions", "asm_artifacts"),
    ),
    "what goes with a session": Question(
        lambda b: undone(b, lambda: b.session_store.delete_session(SESSION)), (LOG, "asm_runs_of_session")
    ),
}
OF_ONE: Final = asm.RetentionPolicy(max_events_per_session=100, batch_size=1_000)
OF_ALL: Final = asm.RetentionPolicy(
    max_completed_session_age_days=None, hard_delete_after_days=None, max_total_events=95_000, batch_size=1_000
)
PRUNING: Final = {
    "pruning a session": Question(
        lambda b: undone(b, lambda: b.maintenance.prune_session_events(LONG, OF_ONE)), (LOG,)
    ),
    "pruning all": Question(lambda b: undone(b, lambda: b.maintenance.execute(OF_ALL)), ("asm_events_by_time",)),
}
