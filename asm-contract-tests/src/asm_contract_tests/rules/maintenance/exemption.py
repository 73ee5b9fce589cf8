"""Sessions that retention leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, days_ago, numbers, soft_deleted, some_events
from asm_core import Maintenance, QueryAPI, RetentionPolicy, SessionStore
from asm_core.querying.queries import MAX_CHOICES

EXEMPT: list[dict[str, Any]] = [{"status": "active"}, {"status": "paused"}, {"tags": ["other", "pinned"]}]
EVERYTHING: dict[str, Any] = {
    "max_session_age_days": 1,
    "max_completed_session_age_days": 1,
    "max_events_per_session": 1,
    "max_total_events": 0,
    "hard_delete_after_days": 1,
}

each_exemption = pytest.mark.parametrize("fields", EXEMPT, ids=["active", "paused", "pinned"])


class ExemptionContract(Contract):
    """An exempt session is left alone by every step."""

    @each_exemption
    def test_an_exempt_session_never_expires(
        self, store: SessionStore, maintenance: Maintenance, fields: dict[str, Any]
    ) -> None:
        """Check how `find_expired` applies the exemption: by status, and by any one of the tags."""
        session = store.save_session(a_session(created_at=days_ago(99), **fields))
        assert maintenance.soft_delete_expired_sessions(RetentionPolicy(**EVERYTHING)) == 0
        assert store.get_session(session.id) == session

    @pytest.mark.guarantee("G14")
    def test_a_policy_may_name_thousands_of_exempt_tags(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check how the tags of an exemption are passed: a clause for each of them is too much for a database."""
        tags = [f"tag {place}" for place in range(MAX_CHOICES)]
        kept = store.save_session(a_session(created_at=days_ago(99), tags=[tags[-1]]))
        store.append_events(some_events(kept, 3))
        store.save_session(a_session(created_at=days_ago(99), tags=["other"]))
        report = maintenance.execute(RetentionPolicy(**EVERYTHING, exempt_statuses=(), exempt_tags=tags))
        assert (report.sessions_soft_deleted, report.events_pruned) == (1, 0)
        assert store.get_session(kept.id) == kept

    @each_exemption
    def test_an_exempt_session_is_never_removed(
        self, store: SessionStore, maintenance: Maintenance, fields: dict[str, Any]
    ) -> None:
        """Check how `find_deleted` applies the exemption."""
        session = soft_deleted(store, a_session(**fields), days=99)
        assert maintenance.hard_delete_expired_sessions(RetentionPolicy(**EVERYTHING)) == 0
        assert store.get_session(session.id) == session

    @each_exemption
    def test_an_exempt_session_is_never_pruned(
        self, store: SessionStore, maintenance: Maintenance, fields: dict[str, Any]
    ) -> None:
        """Check how `find_oversized` and `_find_prunable` apply the exemption."""
        session = store.save_session(a_session(**fields))
        store.append_events(some_events(session, 3))
        policy = RetentionPolicy(**EVERYTHING)
        assert maintenance.prune_session_events(session.id, policy) == 0
        assert maintenance.execute(policy).events_pruned == 0
        assert numbers(store.get_events(session.id)) == [1, 2, 3]

    def test_events_of_exempt_sessions_count_towards_the_total(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Check `_count_stored` of all: it counts what is stored, exempt or not."""
        for name, status in [("s1", "active"), ("s2", "completed")]:
            store.save_session(a_session(id=name, status=status))
            store.append_events(some_events(name, 3))
        assert maintenance.execute(RetentionPolicy(max_total_events=4)).events_pruned == 2
        assert (numbers(store.get_events("s1")), numbers(store.get_events("s2"))) == ([1, 2, 3], [3])

    @pytest.mark.parametrize(
        ("exempt", "left"),
        [
            ({"exempt_statuses": (), "exempt_tags": ()}, []),
            ({"exempt_statuses": (), "exempt_tags": ["keep", "hold"]}, ["s2"]),
            ({"exempt_statuses": ["completed", "failed"], "exempt_tags": ()}, ["s1", "s2"]),
            ({"exempt_statuses": ["active"], "exempt_tags": ["pinned"]}, ["s3", "s4"]),
            ({"exempt_statuses": [], "exempt_tags": ["Pinned", "pin"]}, []),
        ],
    )
    def test_exempt_sessions_are_skipped(
        self, store: SessionStore, maintenance: Maintenance, query: QueryAPI, exempt: dict[str, Any], left: list[str]
    ) -> None:
        """Check `exempt_statuses` and `exempt_tags`: each is obeyed as given, and may be empty."""
        for name, status, tags in [
            ("s1", "completed", []),
            ("s2", "failed", ["keep"]),
            ("s3", "active", []),
            ("s4", "pending", ["a", "pinned"]),
        ]:
            store.save_session(a_session(id=name, status=status, tags=tags, created_at=days_ago(99)))
        maintenance.soft_delete_expired_sessions(RetentionPolicy(**{**EVERYTHING, **exempt}))
        assert [session.id for session in query.search_sessions(order_by="created_at_asc")] == left
