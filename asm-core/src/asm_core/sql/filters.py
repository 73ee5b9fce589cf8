"""Which columns the filters of a query mean: the same for every ORM, whose columns Python compares.

The query is one that `Statements` asks for: marks stand in the place of its values.
"""

from __future__ import annotations

from operator import ge, gt, lt
from typing import TYPE_CHECKING, Any, Final

from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Query = SessionQuery | RunQuery | EventQuery | UsageQuery
    Compare = Callable[[Any, Any], Any]

_CHOICES: Final[dict[type, dict[str, str]]] = {
    SessionQuery: {"ids": "id", "agent_ids": "agent_id", "statuses": "status"},
    RunQuery: {"ids": "id", "session_ids": "session_id", "statuses": "status", "providers": "provider"},
    EventQuery: {
        "ids": "id",
        "session_ids": "session_id",
        "run_ids": "run_id",
        "types": "type",
        "providers": "provider",
        "correlation_ids": "correlation_id",
    },
    UsageQuery: {"session_ids": "session_id", "providers": "provider"},
}
_BOUNDS: Final[dict[type, dict[str, tuple[str, Compare]]]] = {
    SessionQuery: {"created_after": ("created_at", gt), "created_before": ("created_at", lt)},
    RunQuery: {
        "started_after": ("started_at", gt),
        "started_before": ("started_at", lt),
        "min_tokens": ("total_tokens", ge),
    },
    EventQuery: {
        "since": ("timestamp", ge),
        "until": ("timestamp", lt),
        "after": ("sequence_number", gt),
        "before": ("sequence_number", lt),
    },
    UsageQuery: {"since": ("started_at", ge), "until": ("started_at", lt)},
}
"""The others, which are no comparison of a column, an ORM says itself: tags, providers of sessions, agents of runs."""


def choices(query: Query) -> Iterator[tuple[str, str]]:
    """Yield each column that must have a chosen value, or one of `Several`, and the mark of these."""
    for field, column in _CHOICES[type(query)].items():
        chosen = getattr(query, field)
        if chosen is not None:
            yield column, chosen[0]


def bounds(query: Query) -> Iterator[tuple[str, Compare, Any]]:
    """Yield each column that is bounded, how to compare it, and with what."""
    for field, (column, compare) in _BOUNDS[type(query)].items():
        value = getattr(query, field)
        if value is not None:
            yield column, compare, value
