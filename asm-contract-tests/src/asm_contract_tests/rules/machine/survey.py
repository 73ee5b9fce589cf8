"""The questions that are asked of every state in the end: each filter, each order, each bound that occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_contract_tests.making import MICROSECOND
from asm_contract_tests.rules.machine.calls import DAYS, KEYS, KINDS, RUN_IDS, SESSION_IDS, TIMES, Call
from asm_contract_tests.rules.machine.reads import PRICES
from asm_contract_tests.rules.machine.records import survey_of_records
from asm_core.querying.accounting.groups import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGENTS: Final = ("a", "b", ("a", "b"))
_USERS: Final = ("u", "v", ("u", "v"))
_PROVIDERS: Final = ("p", "q", ("p", "q"))
_TAGS: Final = ("red", "blue", "pinned", ("red", "blue"), ("pinned", "blue"), ("red", "pinned"))
_STATUSES: Final = ("pending", "active", "completed", ("failed", "cancelled"))
_BOUNDS: Final = tuple(time + step * MICROSECOND for time in TIMES for step in (-1, 0))


def survey() -> Iterator[Call]:
    """Yield calls that read, the same ones each time."""
    for session_id in SESSION_IDS:
        yield from _of_a_session(session_id)
    for run_id in RUN_IDS:
        yield Call("session_store", "get_run", {"run_id": run_id})
    for key in KEYS:
        yield Call("artifact_registry", "get_by_key", {"key": key})
    for limit, offset in ((None, 0), (None, 1), (1, 1), (2, 0)):
        yield Call("session_store", "list_sessions", {"limit": limit, "offset": offset})
    yield from _searches()
    yield from _totals()
    yield from survey_of_records()
    yield Call("maintenance", "health_check", {})


def _of_a_session(session_id: str) -> Iterator[Call]:
    given = {"session_id": session_id}
    for method in ("get_session", "list_runs", "get_active_run", "get_latest_sequence", "get_events"):
        yield Call("session_store", method, given)
    for method in ("get_session_stats", "export_session"):
        yield Call("query_api", method, given)
    for method in ("list_by_session", "session_stats"):
        yield Call("artifact_registry", method, given)
    for number in range(4):
        yield Call("session_store", "get_events", {**given, "after": number, "limit": 2})
        yield Call("session_store", "get_events", {**given, "before": number})
        yield Call("session_store", "get_events", {**given, "after": number, "limit": 2, "order": "desc"})
        yield Call("session_store", "get_events", {**given, "since": TIMES[number]})
        yield Call("session_store", "follow_events", {**given, "after": number, "idle_timeout": 0})
        yield Call("session_store", "list_runs", {**given, "limit": number + 1})
    for status in ("running", ("failed", "completed", "timeout")):
        yield Call("session_store", "list_runs", {**given, "status": status})


def _searches() -> Iterator[Call]:
    yield from _each("search_sessions", "agent_id", _AGENTS)
    yield from _each("search_sessions", "status", _STATUSES)
    yield from _each("search_sessions", "provider", _PROVIDERS)
    yield from _each("search_sessions", "tags", _TAGS)
    yield from _each("search_sessions", "include_deleted", (True,))
    yield from _each("search_sessions", "user_id", _USERS)
    yield from _each("search_sessions", "parent_session_id", SESSION_IDS)
    yield from _each("search_sessions", "title", ("pl", "ß"))
    for bound in ("active_after", "active_before"):
        yield from _each("search_sessions", bound, (*DAYS, *TIMES))
    for bound in ("created_after", "created_before"):
        yield from _each("search_sessions", bound, DAYS)
    for order in ("active_at_desc", "created_at_asc", "created_at_desc", "updated_at_desc"):
        yield from _each("search_sessions", "limit", (1, 2), order_by=order, include_deleted=True)
    yield from _each("search_runs", "session_id", SESSION_IDS)
    yield from _each("search_runs", "provider", _PROVIDERS)
    yield from _each("search_runs", "status", ("running", ("failed", "completed")))
    yield from _each("search_runs", "min_tokens", (1, 2, 3))
    for bound in ("started_after", "started_before"):
        yield from _each("search_runs", bound, _BOUNDS)
    for order in ("started_at_asc", "started_at_desc", "token_usage_desc"):
        yield from _each("search_runs", "limit", (1, 2), order_by=order)
    for order in ("sequence_asc", "sequence_desc", "timestamp_asc", "timestamp_desc"):
        yield from _each("search_events", "limit", (1, 3), order_by=order)


def _totals() -> Iterator[Call]:
    for method in ("search_events", "count_events"):
        yield from _each(method, "session_ids", (*SESSION_IDS, SESSION_IDS[:2]))
        yield from _each(method, "run_ids", (*RUN_IDS, RUN_IDS[:2]))
        yield from _each(method, "types", (*KINDS, KINDS[:2]))
        yield from _each(method, "providers", _PROVIDERS)
        yield from _each(method, "correlation_id", ("c",))
        for bound in ("since", "until"):
            yield from _each(method, bound, _BOUNDS)
    for method in ("get_usage_summary", "get_cost_summary"):
        yield from _each(method, "session_id", SESSION_IDS)
        yield from _each(method, "agent_id", _AGENTS)
        yield from _each(method, "provider", _PROVIDERS)
        yield from _each(method, "tags", ("red", ("red", "blue")))
        yield from _each(method, "group_by", (*GROUPS, "hour", ("day", "agent_id")), time_zone="Asia/Kathmandu")
        for bound in ("since", "until"):
            yield from _each(method, bound, TIMES)
    yield Call("query_api", "get_cost_summary", {"pricing_table": PRICES})


def _each(method: str, name: str, values: tuple[Any, ...], **others: Any) -> Iterator[Call]:
    for value in values:
        yield Call("query_api", method, {**others, name: value})
