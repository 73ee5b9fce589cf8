"""Groups of usage and costs: by column, and by period of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, label
from asm_core import QueryAPI, Session, SessionStore, TokenPrice, TokenUsage, ValidationError

PARTS = TokenUsage(
    input_tokens=1_000,
    cache_read_tokens=600,
    cache_write_tokens=300,
    cache_write_1h_tokens=100,
    output_tokens=50,
    reasoning_tokens=20,
)
PRICE = TokenPrice(
    Decimal(3), Decimal(15), cache_read=Decimal("0.3"), cache_write=Decimal("3.75"), cache_write_1h=Decimal(6)
)
COST = Decimal("0.00258")
"""100 x 3 + 600 x 0.3 + 200 x 3.75 + 100 x 6 + 50 x 15, per million."""

# Berlin goes back from 3:00 to 2:00 at 1:00 UTC on 2026-10-25, a day of 25 hours that begins at 22:00 UTC.
STARTS = (
    datetime(2026, 10, 24, 21, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 22, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
)


class UsageGroupsContract(Contract):
    """`get_usage_summary` and `get_cost_summary` group by any columns and periods."""

    @pytest.fixture
    def used_by_agents(self, store: SessionStore) -> None:
        """Store runs of two agents with different tags: 1, 10 and 100 output tokens."""
        for session_id, agent, user, tags in (
            ("s1", "reader", None, ("red", "blue")),
            ("s2", "writer", "ann", ("red",)),
        ):
            store.save_session(a_session(id=session_id, agent_id=agent, tags=tags, user_id=user))
        for session_id, provider, model, tokens in (
            ("s1", "acme", "big", 1),
            ("s2", "acme", "small", 10),
            ("s2", None, "small", 100),
        ):
            metadata = {"model": model}
            usage = {"output_tokens": tokens}
            store.save_run(a_run(session_id, provider=provider, provider_metadata=metadata, token_usage=usage))

    @pytest.fixture
    def used_over_days(self, store: SessionStore, session: Session) -> None:
        """Store a run at each of `STARTS`, with 1, 10, 100, ... output tokens."""
        for place, start in enumerate(STARTS):
            store.save_run(a_run(session, started_at=start, token_usage={"output_tokens": 10**place}))

    @pytest.mark.guarantee("G9")
    def test_each_part_of_the_tokens_is_summed(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `_total_usage` and `_total_runs`: the sums of all counts, in the order of `TOKEN_COUNTS`."""
        for _ in range(2):
            store.save_run(a_run(session, token_usage=PARTS))
        for summed in (query.get_usage_summary(), query.get_session_stats(session.id)):
            assert {name: getattr(summed, name) for name in PARTS} == {name: 2 * PARTS[name] for name in PARTS}
            assert summed.total_tokens == 2_100

    @pytest.mark.guarantee("G6")
    def test_parts_that_a_run_gains_are_summed(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Look for parts that `_save_run` does not update with the rest."""
        run = store.save_run(a_run(session, token_usage={"input_tokens": 1}))
        store.save_run(run.with_token_usage(PARTS))
        assert query.get_usage_summary().cache_write_1h_tokens == 100

    @pytest.mark.parametrize(
        ("group_by", "expected"),
        [
            ("provider", {(None,): 100, ("acme",): 11}),
            ("model", {("big",): 1, ("small",): 110}),
            ("agent_id", {("reader",): 1, ("writer",): 110}),
            ("user_id", {(None,): 1, ("ann",): 110}),
            ("session_id", {("s1",): 1, ("s2",): 110}),
            (("agent_id", "provider"), {("reader", "acme"): 1, ("writer", None): 100, ("writer", "acme"): 10}),
            (("model", "session_id"), {("big", "s1"): 1, ("small", "s2"): 110}),
            ((), {(): 111}),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("used_by_agents")
    def test_usage_is_grouped_by_any_columns(
        self, query: QueryAPI, group_by: Any, expected: dict[tuple[str | None, ...], int]
    ) -> None:
        """Check the key of `_total_usage` and `_total_costs`: the columns of `group_by`, in order."""
        names = (group_by,) if isinstance(group_by, str) else group_by
        usage, costs = query.get_usage_summary(group_by=group_by), query.get_cost_summary(group_by=group_by)
        assert [(tuple(getattr(row, name) for name in names), row.total_tokens) for row in usage.rows] == list(
            expected.items()
        )
        assert [tuple(getattr(row, name) for name in names) for row in costs.rows] == list(expected)
        assert (usage.total_tokens, usage.run_count, costs.run_count) == (111, 3, 3)

    def test_no_runs_form_no_group(self, query: QueryAPI) -> None:
        """Look for a sum over no rows, which is a row in SQL."""
        assert query.get_usage_summary(group_by=()).rows == []
        assert query.get_usage_summary(group_by="day", time_zone="Asia/Kathmandu").rows == []

    @pytest.mark.parametrize(
        ("tags", "expected"), [("red", 111), (["red", "blue"], 1), (["blue", "green"], 0), ([], 111)], ids=label
    )
    @pytest.mark.usefixtures("used_by_agents")
    def test_usage_is_filtered_by_tags(self, query: QueryAPI, tags: Any, expected: int) -> None:
        """Check the filter `tags`: only runs of sessions with all of them."""
        assert query.get_usage_summary(tags=tags).total_tokens == expected
        assert query.get_usage_summary(tags=tags, agent_id=["reader", "writer"]).total_tokens == expected

    @pytest.mark.parametrize(
        ("user", "expected"), [("ann", 110), (["ann", "ben"], 110), ("ben", 0), ([], 0)], ids=label
    )
    @pytest.mark.usefixtures("used_by_agents")
    def test_usage_is_filtered_by_user(self, query: QueryAPI, user: Any, expected: int) -> None:
        """Check the filter `user_id`: only runs of sessions of this user."""
        assert query.get_usage_summary(user_id=user).total_tokens == expected

    @pytest.mark.parametrize(
        ("zone", "group_by", "expected"),
        [
            ("UTC", "day", {"2026-10-24": 11, "2026-10-25": 111_100}),
            ("Europe/Berlin", "day", {"2026-10-24": 1, "2026-10-25": 11_110, "2026-10-26": 100_000}),
            # Kathmandu is 5:45 ahead: its day begins at 18:15 UTC.
            ("Asia/Kathmandu", "day", {"2026-10-25": 1_111, "2026-10-26": 110_000}),
            ("Europe/Berlin", "month", {"2026-10": 111_111}),
            (
                "Europe/Berlin",
                "hour",
                {
                    "2026-10-24T23:00+02:00": 1,
                    "2026-10-25T00:00+02:00": 10,
                    "2026-10-25T02:00+02:00": 100,
                    "2026-10-25T02:00+01:00": 1_000,
                    "2026-10-25T23:00+01:00": 10_000,
                    "2026-10-26T00:00+01:00": 100_000,
                },
            ),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("used_over_days")
    def test_usage_is_grouped_by_periods_of_a_time_zone(
        self, query: QueryAPI, zone: str, group_by: str, expected: dict[str, int]
    ) -> None:
        """Check the bucket of `_total_usage` and `_total_costs`: its number since `EPOCH` ends the key."""
        usage = query.get_usage_summary(group_by=group_by, time_zone=zone)
        assert {getattr(row, group_by): row.total_tokens for row in usage.rows} == expected
        costs = query.get_cost_summary(group_by=group_by, time_zone=zone)
        assert [getattr(row, group_by) for row in costs.rows] == list(expected)

    def test_early_times_have_buckets_too(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Look for a division that rounds towards zero: times before 1970 have negative Unix times."""
        for start in (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1902, 3, 1, 0, 30, tzinfo=UTC)):
            store.save_run(a_run(session, started_at=start))
        rows = query.get_usage_summary(group_by=("day", "hour")).rows
        assert [(row.day, row.hour) for row in rows] == [
            ("1902-03-01", "1902-03-01T00:00+00:00"),
            ("1969-12-31", "1969-12-31T23:00+00:00"),
        ]

    @pytest.mark.usefixtures("used_over_days")
    def test_periods_and_columns_combine(self, store: SessionStore, query: QueryAPI) -> None:
        """Check the order of a key: columns first, then the bucket."""
        store.save_session(a_session(id="s9"))
        store.save_run(a_run("s9", started_at=STARTS[0], provider="acme", token_usage={"output_tokens": 7}))
        usage = query.get_usage_summary(group_by=("day", "provider"), session_id="s9")
        assert [(row.day, row.provider, row.total_tokens) for row in usage.rows] == [("2026-10-24", "acme", 7)]

    @pytest.mark.guarantee("G9")
    def test_cached_tokens_have_their_own_price(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `unpriced_tokens` of `_total_costs`: all counts of the runs without a recorded cost."""
        for _ in range(3):
            store.save_run(a_run(session, token_usage=PARTS, provider="acme", provider_metadata={"model": "big-2"}))
        for group_by in ("provider", "session_id"):
            costs = query.get_cost_summary(group_by=group_by, pricing_table={"acme": {"big": PRICE}})
            assert [(row.cost_usd, row.unpriced_run_count) for row in costs.rows] == [(3 * COST, 0)]

    def test_a_cost_without_a_price_is_unknown(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `unpriced_run_count`: where no run of a group has a cost, the cost is None and never 0."""
        store.save_run(a_run(session, token_usage=PARTS, provider="acme"))
        assert query.get_session_stats(session.id).cost_usd is None
        assert (query.get_cost_summary().total_cost_usd, query.get_cost_summary().rows[0].cost_usd) == (None, None)
        store.save_run(a_run(session, provider="other", cost_usd=Decimal("0.5")))
        stats, costs = query.get_session_stats(session.id), query.get_cost_summary()
        assert (stats.cost_usd, stats.unpriced_run_count) == (Decimal("0.5"), 1)
        assert [row.cost_usd for row in costs.rows] == [None, Decimal("0.5")]
        assert (costs.total_cost_usd, costs.unpriced_run_count) == (Decimal("0.5"), 1)

    def test_a_run_without_tokens_has_no_price(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `uncounted_run_count` of `_total_costs`: such a run may have used tokens that nobody counted."""
        for usage in (PARTS, TokenUsage()):
            store.save_run(a_run(session, token_usage=usage, provider="acme", provider_metadata={"model": "big"}))
        costs = query.get_cost_summary(pricing_table={"acme": {"*": PRICE}})
        assert (costs.total_cost_usd, costs.run_count, costs.unpriced_run_count) == (COST, 2, 1)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"group_by": "colour"},
            {"group_by": ["provider", 1]},
            {"group_by": 1},
            {"group_by": None},
            {"group_by": [["provider"]]},
            {"time_zone": "Europe"},
            {"time_zone": "Mars/Olympus"},
            {"time_zone": "../etc/passwd"},
            {"time_zone": ""},
            {"time_zone": None},
            {"tags": ""},
        ],
        ids=label,
    )
    def test_senseless_groups_are_refused(self, query: QueryAPI, arguments: dict[str, Any]) -> None:
        """Check `group_by`, `time_zone` and `tags`: unknown ones are ValidationErrors."""
        with pytest.raises(ValidationError):
            query.get_usage_summary(**arguments)
        with pytest.raises(ValidationError):
            query.get_cost_summary(**arguments)
