"""Calls that read, and calls of maintenance, as Hypothesis draws them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hypothesis import strategies as st

from asm_contract_tests.rules.machine.calls import (
    DAYS,
    EVENT_IDS,
    KEYS,
    KINDS,
    TIMES,
    Call,
    agents,
    calls,
    choice,
    given,
    often,
    policies,
    providers,
    run_ids,
    session_ids,
    tags,
    time_of,
    users,
)
from asm_core import RunStatus, SessionStatus

PRICES: Final = {"p": {"m": {"input": Decimal("1.5"), "output": Decimal(2)}}, "q": {}}

session_statuses = choice(st.sampled_from([str(status) for status in SessionStatus]))
run_statuses = choice(st.sampled_from([str(status) for status in RunStatus]))
kinds = choice(st.sampled_from(KINDS))
numbers = st.integers(0, 7)
limits = st.integers(1, 4)

_events = {
    "session_ids": choice(session_ids),
    "run_ids": choice(run_ids),
    "types": kinds,
    "providers": choice(providers),
    "since": time_of(TIMES),
    "until": time_of(TIMES),
    "correlation_id": choice(st.just("c")),
}
_usage = {
    "session_id": choice(session_ids),
    "agent_id": choice(agents),
    "provider": choice(providers),
    "since": time_of(TIMES),
    "until": time_of(TIMES),
}

of_the_store: st.SearchStrategy[Call] = st.one_of(
    calls("session_store", "get_session", session_id=session_ids),
    calls("session_store", "get_run", run_id=run_ids),
    calls("session_store", "get_active_run", session_id=session_ids),
    calls("session_store", "get_latest_sequence", session_id=session_ids),
    given(status=run_statuses, limit=limits)("session_store", "list_runs", session_id=session_ids),
    given(
        status=session_statuses, agent_id=choice(agents), user_id=choice(users), limit=limits, offset=st.integers(0, 3)
    )("session_store", "list_sessions"),
    given(
        run_id=choice(run_ids),
        type=kinds,
        since=time_of(TIMES),
        after=numbers,
        before=numbers,
        limit=st.integers(0, 4),
        order=st.sampled_from(["asc", "desc"]),
    )("session_store", "get_events", session_id=session_ids),
    given(session_id=session_ids)("session_store", "get_event", event_id=st.sampled_from(EVENT_IDS)),
    given(after=numbers, run_id=choice(run_ids), type=kinds)(
        "session_store", "follow_events", session_id=session_ids, idle_timeout=st.just(0)
    ),
)
searches: st.SearchStrategy[Call] = st.one_of(
    given(
        agent_id=choice(agents),
        status=session_statuses,
        provider=choice(providers),
        tags=often(tags),
        created_after=time_of(DAYS),
        created_before=time_of(DAYS),
        include_deleted=st.booleans(),
        user_id=choice(users),
        parent_session_id=choice(session_ids),
        title=st.sampled_from(["pl", "ß", "E"]),
        active_after=time_of(DAYS) | time_of(TIMES),
        active_before=time_of(DAYS) | time_of(TIMES),
        count=st.booleans(),
    )(
        "query_api",
        "search_sessions",
        order_by=st.sampled_from(["active_at_desc", "created_at_asc", "created_at_desc", "updated_at_desc"]),
        limit=limits,
    ),
    given(
        session_id=choice(session_ids),
        provider=choice(providers),
        status=run_statuses,
        started_after=time_of(TIMES),
        started_before=time_of(TIMES),
        min_tokens=st.integers(0, 4),
    )(
        "query_api",
        "search_runs",
        order_by=st.sampled_from(["started_at_asc", "started_at_desc", "token_usage_desc"]),
        limit=limits,
    ),
    given(**_events)(
        "query_api",
        "search_events",
        order_by=st.sampled_from(["sequence_asc", "sequence_desc", "timestamp_asc", "timestamp_desc"]),
        limit=limits,
    ),
)
totals: st.SearchStrategy[Call] = st.one_of(
    given(**_events)("query_api", "count_events"),
    calls("query_api", "get_session_stats", session_id=session_ids),
    calls("query_api", "list_session_stats", session_ids=st.lists(session_ids, unique=True, max_size=3)),
    given(**_usage)("query_api", "get_usage_summary"),
    given(**_usage, pricing_table=st.just(PRICES))("query_api", "get_cost_summary"),
    calls("query_api", "export_session", session_id=session_ids, include_artifacts=st.booleans()),
    calls("artifact_registry", "get_by_key", key=st.sampled_from(KEYS)),
    calls("artifact_registry", "list_by_session", session_id=session_ids),
    calls("artifact_registry", "session_stats", session_id=session_ids),
    calls("maintenance", "health_check"),
)
cleanings: st.SearchStrategy[Call] = st.one_of(
    given(dry_run=st.booleans())("maintenance", "execute", policy=policies),
    calls("maintenance", "soft_delete_expired_sessions", policy=policies),
    calls("maintenance", "hard_delete_expired_sessions", policy=policies),
    calls("maintenance", "prune_session_events", session_id=session_ids, policy=policies),
    calls("maintenance", "clean_orphaned_artifacts"),
)
