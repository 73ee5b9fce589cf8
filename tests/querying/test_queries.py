"""Of the two bounds at the beginning of an order, one is as good as both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

import asm_core as asm
from asm_core.memory import MemoryBackend
from asm_core.querying.queries import (
    EVENT_ORDERS,
    RUN_ORDERS,
    SESSION_ORDERS,
    EventQuery,
    RunQuery,
    SessionQuery,
    without_needless_bound,
)

NAMES = ("a", "b", "c", "d", "e", "f")
TIMES = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=place // 2) for place in range(len(NAMES))]


@pytest.fixture
def backend() -> asm.Backend:
    made = MemoryBackend()
    for name, time in zip(NAMES, TIMES, strict=True):
        made.session_store.save_session(asm.Session.new(id=name, agent_id="agent", created_at=time))
        made.session_store.save_run(asm.Run.new(id=name, session_id=name, started_at=time))
        made.session_store.append_event(asm.Event.new(id=name, type="message_sent", session_id=name, timestamp=time))
    return made


@pytest.mark.parametrize(
    ("find", "query", "order", "bounds", "key"),
    [
        ("find_sessions", SessionQuery, SESSION_ORDERS["created_at_asc"], ("created_after", "created_before"), ()),
        ("find_sessions", SessionQuery, SESSION_ORDERS["created_at_desc"], ("created_after", "created_before"), ()),
        ("find_runs", RunQuery, RUN_ORDERS["started_at_asc"], ("started_after", "started_before"), ()),
        ("find_runs", RunQuery, RUN_ORDERS["started_at_desc"], ("started_after", "started_before"), ()),
        ("find_events", EventQuery, EVENT_ORDERS["timestamp_asc"], ("since", "until"), (1,)),
        ("find_events", EventQuery, EVENT_ORDERS["timestamp_desc"], ("since", "until"), (1,)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_page_begins_at_its_start_or_at_the_filter_whichever_is_narrower(  # noqa: PLR0917  a row of the table
    backend: asm.Backend, find: str, query: Any, order: Any, bounds: tuple[str, str], key: tuple[int, ...]
) -> None:
    found = getattr(backend.query_api.reader, find)
    for place, low, high in product(range(len(NAMES)), TIMES, TIMES):
        after_key = (TIMES[place], NAMES[place], *key)
        both = query(order=order, after_key=after_key, **dict(zip(bounds, (low, high), strict=True)))
        one = without_needless_bound(both)
        first = getattr(one, bounds[order.descending])
        assert (one.after_key is None) != (first is None)
        assert found(one) == found(both)
