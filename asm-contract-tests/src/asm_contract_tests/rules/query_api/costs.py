"""Costs of runs."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, at, label
from asm_core import CostRow, QueryAPI, Session, SessionStore, TokenPrice

MILLION = 1_000_000
PRICES: Any = {"acme": {"big": {"input": Decimal(2), "output": Decimal("0.5")}}}


class CostsContract(Contract):
    """`get_cost_summary` adds up what runs cost, by provider and model."""

    @pytest.fixture
    def priced_run(self, store: SessionStore, session: Session) -> None:
        """Store a run that carries its cost."""
        store.save_run(
            a_run(session, provider="acme", provider_metadata={"model": "big"}, cost_usd=Decimal("1.000000001"))
        )

    @pytest.fixture
    def unpriced_run(self, store: SessionStore, session: Session) -> None:
        """Store a run that does not, of the same provider and model: a million tokens in, two million out."""
        usage = {"input_tokens": MILLION, "output_tokens": 2 * MILLION}
        store.save_run(a_run(session, provider="acme", provider_metadata={"model": "big"}, token_usage=usage))

    @pytest.mark.usefixtures("priced_run")
    def test_a_recorded_cost_is_used(self, query: QueryAPI) -> None:
        """Check how `_total_costs` adds up `cost_usd`: exactly."""
        row = CostRow(provider="acme", model="big", run_count=1, unpriced_run_count=0, cost_usd=Decimal("1.000000001"))
        assert query.get_cost_summary().rows == [row]

    @pytest.mark.usefixtures("priced_run")
    def test_the_cost_of_a_run_goes_before_the_price_of_its_model(self, query: QueryAPI) -> None:
        """Check the `unpriced_*` fields of `_total_costs`: a run with a cost of its own is not in them."""
        assert query.get_cost_summary(pricing_table=PRICES).total_cost_usd == Decimal("1.000000001")

    @pytest.mark.usefixtures("unpriced_run")
    def test_a_run_without_a_cost_is_priced_by_its_tokens(self, query: QueryAPI) -> None:
        """Check the `unpriced_*` fields of `_total_costs`: the tokens of runs without a cost of their own."""
        summary = query.get_cost_summary(pricing_table=PRICES)
        assert (summary.total_cost_usd, summary.unpriced_run_count) == (Decimal(3), 0)

    @pytest.mark.usefixtures("unpriced_run")
    def test_prices_may_be_given_as_objects(self, query: QueryAPI) -> None:
        """Check `check_pricing_table`: a TokenPrice is as good as a dict."""
        prices = {"acme": {"big": TokenPrice(input=Decimal(2), output=Decimal("0.5"))}}
        assert query.get_cost_summary(pricing_table=prices).total_cost_usd == Decimal(3)

    @pytest.mark.usefixtures("priced_run", "unpriced_run")
    def test_both_kinds_of_cost_are_added_up(self, query: QueryAPI) -> None:
        """Check how `_total_costs` separates both kinds of runs within one row."""
        [row] = query.get_cost_summary(pricing_table=PRICES).rows
        assert (row.run_count, row.unpriced_run_count, row.cost_usd) == (2, 0, Decimal("4.000000001"))

    @pytest.mark.usefixtures("priced_run", "unpriced_run")
    @pytest.mark.parametrize("prices", [None, {}, {"acme": {}}, {"other": PRICES["acme"]}], ids=label)
    def test_runs_without_any_price_are_counted_as_such(self, query: QueryAPI, prices: Any) -> None:
        """Check `unpriced_run_count` of `_total_costs`."""
        summary = query.get_cost_summary(pricing_table=prices)
        assert (summary.run_count, summary.unpriced_run_count) == (2, 1)
        assert summary.total_cost_usd == Decimal("1.000000001")

    def test_a_run_that_costs_nothing_is_not_without_a_cost(
        self, store: SessionStore, query: QueryAPI, session: Session
    ) -> None:
        """Look for a cost of zero that is taken for none."""
        store.save_run(a_run(session, cost_usd=Decimal(0)))
        assert query.get_cost_summary().unpriced_run_count == 0

    @pytest.mark.guarantee("G9")
    def test_many_small_costs_are_added_up_exactly(
        self, store: SessionStore, query: QueryAPI, session: Session
    ) -> None:
        """Look for a float on the way of the sum: a tenth, ten times, is one."""
        for _ in range(10):
            store.save_run(a_run(session, cost_usd=Decimal("0.1")))
        assert query.get_cost_summary().total_cost_usd == Decimal(1)
        assert query.get_session_stats(session.id).cost_usd == Decimal(1)

    @pytest.mark.guarantee("G9")
    def test_costs_are_exact_in_any_decimal_context(
        self, store: SessionStore, query: QueryAPI, session: Session
    ) -> None:
        """Look for sums and prices that are worked out in the caller's context, which may round."""
        cost, used = Decimal("1.234567891"), {"input_tokens": 1_234_567, "output_tokens": 7}
        store.save_run(a_run(session, cost_usd=cost, provider="acme"))
        store.save_run(a_run(session, token_usage=used, provider="acme", provider_metadata={"model": "m"}))
        with localcontext(Context(prec=3)):
            summary = query.get_cost_summary(
                pricing_table={"acme": {"m": TokenPrice(input=Decimal(3), output=Decimal(15))}}
            )
        assert summary.total_cost_usd == cost + Decimal("3.703806")

    def test_a_sum_may_be_larger_than_any_single_cost(
        self, store: SessionStore, query: QueryAPI, session: Session
    ) -> None:
        """Look for a sum that overflows 64 bits of billionths."""
        most = Decimal("9223372036.854775807")
        for _ in range(3):
            store.save_run(a_run(session, cost_usd=most))
        assert query.get_cost_summary().total_cost_usd == 3 * most
        assert query.get_session_stats(session.id).cost_usd == 3 * most

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"session_id": "s1"}, 1),
            ({"agent_id": "writer"}, 2),
            ({"provider": "acme"}, 3),
            ({"provider": []}, 0),
            ({"since": at(2)}, 2),
            ({"until": at(2)}, 1),
        ],
        ids=label,
    )
    def test_costs_count_the_runs_that_pass(
        self, store: SessionStore, query: QueryAPI, filters: dict[str, Any], expected: int
    ) -> None:
        """Check how `_total_costs` applies the filter."""
        for place, agent in enumerate(["reader", "writer"], 1):
            store.save_session(a_session(id=f"s{place}", agent_id=agent))
            store.save_run(a_run(f"s{place}", provider="acme", cost_usd=Decimal(place), started_at=at(place)))
        assert query.get_cost_summary(**filters).total_cost_usd == Decimal(expected)
