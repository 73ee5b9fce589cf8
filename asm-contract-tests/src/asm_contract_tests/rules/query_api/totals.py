"""Totals: statistics of sessions, usage of tokens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_run, a_session, an_event, at, label, soft_deleted, some_events
from asm_core import (
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    RunStatus,
    Session,
    SessionNotFoundError,
    SessionStats,
    SessionStore,
    UsageRow,
)


class SessionStatsContract(Contract):
    """`get_session_stats` returns the statistics of a session."""

    def test_session_stats_count_events_runs_and_tokens(
        self, store: SessionStore, query: QueryAPI, session: Session
    ) -> None:
        """Check `_total_events` and `_total_runs`: each number, and the times of the first and the last."""
        for second in (5, 2, 9):
            store.append_event(an_event(session, timestamp=at(second)))
        usage: list[dict[str, int]] = [{"input_tokens": 1, "output_tokens": 2}, {"output_tokens": 10}, {}]
        for status, tokens, cost in zip(["failed", "running", "failed"], usage, ["0.1", "0.2", None], strict=True):
            store.save_run(
                a_run(session, status=status, token_usage=tokens, cost_usd=None if cost is None else Decimal(cost))
            )
        store.append_event(an_event(store.save_session(a_session())))
        assert query.get_session_stats(session.id) == SessionStats(
            session_id=session.id,
            event_count=3,
            first_event_at=at(2),
            last_event_at=at(9),
            run_count=3,
            runs_by_status={RunStatus.RUNNING: 1, RunStatus.FAILED: 2},
            input_tokens=1,
            output_tokens=12,
            total_tokens=13,
            cost_usd=Decimal("0.3"),
            unpriced_run_count=1,
        )

    def test_session_stats_of_an_empty_session_are_zeros(self, query: QueryAPI, session: Session) -> None:
        """Check the totals of a session that has neither runs nor events."""
        assert query.get_session_stats(session.id) == SessionStats(session_id=session.id)

    def test_a_soft_deleted_session_has_statistics(
        self, store: SessionStore, query: QueryAPI, session: Session
    ) -> None:
        """Look for a filter by `deleted_at`: a soft-deleted session still exists."""
        store.append_event(an_event(session))
        soft_deleted(store, session)
        assert query.get_session_stats(session.id).event_count == 1

    def test_pruned_events_no_longer_count(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance, session: Session
    ) -> None:
        """Look for a count that is taken from the counter instead of from the events."""
        store.append_events(some_events(session, 5, timestamp=at(1)))
        maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=2))
        assert query.get_session_stats(session.id).event_count == 2

    def test_statistics_come_in_the_order_asked_for(self, store: SessionStore, query: QueryAPI) -> None:
        """Check `list_session_stats`: the order of the ids given, not that of a query."""
        for name, count in [("s1", 1), ("s2", 2), ("s3", 0)]:
            store.save_session(a_session(id=name))
            store.append_events(some_events(name, count))
        stats = query.list_session_stats(["s3", "s1", "s2"])
        assert [(stat.session_id, stat.event_count) for stat in stats] == [("s3", 0), ("s1", 1), ("s2", 2)]
        assert query.list_session_stats([]) == []

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_has_no_statistics(self, query: QueryAPI, session: Session) -> None:
        """Check `list_session_stats`: an unknown session is SessionNotFoundError, not zeros."""
        with pytest.raises(SessionNotFoundError):
            query.get_session_stats("ses_unknown")
        with pytest.raises(SessionNotFoundError):
            query.list_session_stats([session.id, "ses_unknown"])


class UsageContract(Contract):
    """`get_usage_summary` adds up the tokens of runs, by provider and model."""

    @pytest.fixture
    def used(self, store: SessionStore) -> None:
        """Store runs that used tokens: r1 to r5 started one second after the other."""
        store.save_session(a_session(id="s1", agent_id="reader"))
        writer = store.save_session(a_session(id="s2", agent_id="writer"))
        rows: list[tuple[str, str | None, str | None, dict[str, int]]] = [
            ("s1", "acme", "big", {"input_tokens": 1, "output_tokens": 2}),
            ("s1", "acme", "small", {"input_tokens": 10, "output_tokens": 30}),
            ("s1", None, None, {"output_tokens": 100}),
            ("s2", "acme", "big", {"input_tokens": 1000}),
            ("s2", "other", None, {}),
        ]
        for place, (session_id, provider, model, usage) in enumerate(rows, 1):
            metadata = {} if model is None else {"model": model}
            store.save_run(
                a_run(
                    session_id,
                    id=f"r{place}",
                    provider=provider,
                    provider_metadata=metadata,
                    token_usage=usage,
                    started_at=at(place),
                )
            )
        soft_deleted(store, writer)

    @pytest.mark.usefixtures("used")
    def test_usage_is_summed_up_by_provider_and_model(self, query: QueryAPI) -> None:
        """Check how `_total_usage` groups: by provider and model, what is missing apart, soft-deleted ones too."""
        summary = query.get_usage_summary()
        assert [_figures(row) for row in summary.rows] == [
            (None, None, 1, 0, 100, 100),
            ("acme", "big", 2, 1001, 2, 1003),
            ("acme", "small", 1, 10, 30, 40),
            ("other", None, 1, 0, 0, 0),
        ]

    @pytest.mark.usefixtures("used")
    def test_usage_has_a_sum_over_all(self, query: QueryAPI) -> None:
        """Check `UsageSummary.of`: the sums of its rows."""
        summary = query.get_usage_summary()
        sums = (summary.run_count, summary.input_tokens, summary.output_tokens, summary.total_tokens)
        assert sums == (5, 1011, 132, 1143)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"session_id": "s1"}, [1, 2, 3]),
            ({"session_id": ["s1", "s2"]}, [1, 2, 3, 4, 5]),
            ({"session_id": "unknown"}, []),
            ({"session_id": []}, []),
            ({"agent_id": "writer"}, [4, 5]),
            ({"agent_id": ["writer", "reader"]}, [1, 2, 3, 4, 5]),
            ({"agent_id": []}, []),
            ({"provider": "acme"}, [1, 2, 4]),
            ({"provider": ("acme", "other")}, [1, 2, 4, 5]),
            ({"provider": []}, []),
            ({"since": at(2)}, [2, 3, 4, 5]),
            ({"since": at(2) + MICROSECOND}, [3, 4, 5]),
            ({"until": at(2)}, [1]),
            ({"until": at(2) + MICROSECOND}, [1, 2]),
            ({"agent_id": "reader", "provider": "acme", "since": at(2)}, [2]),
            ({"session_id": "s1", "agent_id": "writer"}, []),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("used")
    def test_usage_counts_the_runs_that_pass(
        self, query: QueryAPI, filters: dict[str, Any], expected: list[int]
    ) -> None:
        """Check how `_total_usage` applies the filter: `since` inclusive, `until` exclusive, of the run's start."""
        tokens = {1: 3, 2: 40, 3: 100, 4: 1000, 5: 0}
        summary = query.get_usage_summary(**filters)
        assert summary.run_count == len(expected)
        assert summary.total_tokens == sum(tokens[place] for place in expected)

    def test_no_runs_are_no_usage(self, query: QueryAPI) -> None:
        """Check `_total_usage` for a store without runs: no rows, and zeros."""
        summary = query.get_usage_summary()
        assert (summary.run_count, summary.total_tokens, summary.rows) == (0, 0, [])

    def test_large_counts_are_exact(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Look for a float on the way of the sums."""
        for _ in range(2):
            store.save_run(a_run(session, token_usage={"input_tokens": 2**60 + 1}))
        assert query.get_usage_summary().input_tokens == 2**61 + 2


def _figures(row: UsageRow) -> tuple[str | None, str | None, int, int, int, int]:
    return row.provider, row.model, row.run_count, row.input_tokens, row.output_tokens, row.total_tokens
