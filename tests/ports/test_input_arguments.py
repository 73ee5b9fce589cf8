"""Arguments that the ports refuse, whatever the adapter: the checks are core's."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

import pytest
from on_memory import OnMemory

from asm_contract_tests.making import an_event, changed
from asm_core import (
    Backend,
    QueryAPI,
    RetentionPolicy,
    Session,
    SessionStore,
    ValidationError,
)
from asm_core.querying.queries import MAX_CHOICES

SENSELESS: Final[list[Any]] = [
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\udfffx",
    "x" * 513,
    "é" * 257,
    b"x",
    1,
    1.5,
    [],
    {},
    object(),
]

NOT_JSON: list[Any] = [
    float("nan"),
    float("inf"),
    -float("inf"),
    b"bytes",
    {1, 2},
    object(),
    datetime(2026, 1, 1, tzinfo=UTC),
    "\ud800",
    {"\udfff": 1},
    {1: "one"},
    {None: 1},
    {("a",): 1},
    complex(1, 1),
]


class Letter(enum.Enum):
    """An enum whose member has the value of another key."""

    A = "a"


class TestPayloadAndNameArguments(OnMemory):
    @pytest.mark.guarantee("G14")
    def test_a_filter_that_names_too_many_values_is_refused(self, store: SessionStore, query: QueryAPI) -> None:
        """Check the filters: one limit for all of them, whatever the database takes."""
        many = [f"x {place}" for place in range(MAX_CHOICES + 1)]
        calls: list[Any] = [
            lambda: query.search_sessions(tags=many),
            lambda: query.search_sessions(agent_id=many),
            lambda: query.search_runs(session_id=many),
            lambda: query.count_events(run_ids=many),
            lambda: query.get_usage_summary(provider=many),
            lambda: store.list_sessions(agent_id=many),
            lambda: RetentionPolicy(exempt_tags=many),
        ]
        for call in calls:
            with pytest.raises(ValidationError, match=str(MAX_CHOICES)):
                call()

    @pytest.mark.guarantee("G15")
    def test_what_is_no_name_is_refused_everywhere(self, backend: Backend) -> None:
        """Check the public methods: each checks the names it is given before the store is asked."""
        store, query, registry = backend.session_store, backend.query_api, backend.artifact_registry
        calls: list[Any] = [
            store.get_session,
            store.delete_session,
            store.get_run,
            store.list_runs,
            store.get_active_run,
            store.get_events,
            store.get_latest_sequence,
            store.follow_events,
            query.get_session_stats,
            query.export_session,
            registry.get_by_key,
            registry.list_by_session,
            registry.session_stats,
            registry.delete,
        ]
        for call, value in product(calls, SENSELESS):
            with pytest.raises(ValidationError):
                call(value)

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: repr(value)[:20].replace("\\", ""))
    def test_what_json_cannot_hold_is_refused_before_anything_is_stored(
        self, store: SessionStore, session: Session, value: Any
    ) -> None:
        """Check `check_payload`, and at whether the port checks what the plain constructor did not."""
        payloads_with_it: list[dict[str, Any]] = [{"a": value}, {"a": [[value]]}, {"a": {"b": value}}]
        for payload in payloads_with_it:
            with pytest.raises(ValidationError):
                store.append_event(changed(an_event(session), data=payload))
            with pytest.raises(ValidationError):
                store.save_session(changed(session, metadata=payload))
        assert store.get_latest_sequence(session.id) == 0
        assert store.get_session(session.id) == session

    @pytest.mark.guarantee("G9")
    def test_keys_that_json_would_merge_are_refused(self, store: SessionStore, session: Session) -> None:
        """Check `check_payload`: a member of an enum is its value in JSON, and may be the name of another key."""
        for payload in ({Letter.A: 1, "a": 2}, {"x": [{"a": 1, Letter.A: 2}]}):
            with pytest.raises(ValidationError, match="two keys that are 'a'"):
                store.append_event(changed(an_event(session), data=payload))
        assert store.get_latest_sequence(session.id) == 0
