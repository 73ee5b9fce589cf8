"""The answers, worked out by plain SQL that owes nothing to a backend."""

# ruff: noqa: S608  questions are put together from constants

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from bare import ask

if TYPE_CHECKING:
    from collections.abc import Iterable

_TABLES: Final = {"search_sessions": "asm_sessions", "search_runs": "asm_runs", "search_events": "asm_events"}
_ACTIVE: Final = "SELECT active_at FROM asm_session_sequences WHERE session_id = asm_sessions.id"
_KEYS: Final = {
    "active_at": f"({_ACTIVE}), id",
    "created_at": "created_at, id",
    "updated_at": "updated_at, id",
    "started_at": "started_at, id",
    "token_usage": "total_tokens, id",
    "sequence": "session_id, sequence_number",
    "timestamp": "timestamp, session_id, sequence_number",
}
_CONDITIONS: Final = {
    "provider of sessions": "EXISTS (SELECT 1 FROM asm_runs r WHERE r.session_id = asm_sessions.id AND r.provider {})",
    "agent_id": "agent_id {}",
    "user_id": "user_id {}",
    "parent_session_id": "parent_session_id {}",
    "active_after": f"({_ACTIVE}) > {{}}",
    "status": "status {}",
    "provider": "provider {}",
    "session_id": "session_id {}",
    "session_ids": "session_id {}",
    "run_ids": "run_id {}",
    "types": "type {}",
    "providers": "provider {}",
    "correlation_id": "correlation_id {}",
    "created_after": "created_at > {}",
    "created_before": "created_at < {}",
    "started_after": "started_at > {}",
    "started_before": "started_at < {}",
    "since": "timestamp >= {}",
    "until": "timestamp < {}",
    "min_tokens": "total_tokens >= {}",
}


def time(value: datetime) -> str:
    """Return a time as both databases take it."""
    return f"'{value:%Y-%m-%dT%H:%M:%S.%fZ}'"


def where(method: str, filters: dict[str, Any]) -> str:
    """Return the conditions that the filters of a search are."""
    conditions = ["1 = 1"]
    if method == "search_sessions" and not filters.get("include_deleted"):
        conditions.append("deleted_at IS NULL")
    for name, value in filters.items():
        if name == "tags":
            conditions += [f"CAST(tags AS text) LIKE '%\"{tag}\"%'" for tag in _several(value)]
        elif name != "include_deleted":
            kept = f"{name} of sessions" if f"{name} of sessions" in _CONDITIONS and "sessions" in method else name
            conditions.append(_CONDITIONS[kept].format(_value(value)))
    return " AND ".join(conditions)


def found(url: str, method: str, order: str, filters: dict[str, Any]) -> list[str]:
    """Return the ids of what a search finds, on all its pages together."""
    name, _, way = order.rpartition("_")
    key = ", ".join(f"{field} {way}" for field in _KEYS[name].split(", "))
    question = f"SELECT id FROM {_TABLES[method]} WHERE {where(method, filters)} ORDER BY {key}"
    return [row[0] for row in ask(url, question)]


def number(url: str, question: str) -> int:
    """Return the one number that answers a question."""
    ((answer,),) = ask(url, question)
    return int(answer or 0)


def _several(value: Any) -> Iterable[Any]:
    return [value] if isinstance(value, str) else value


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return time(value)
    if isinstance(value, int):
        return str(value)
    return f"IN ({', '.join(repr(str(one)) for one in _several(value))})"
