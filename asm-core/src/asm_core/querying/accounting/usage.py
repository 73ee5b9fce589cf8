"""Summaries of usage and costs: the totals of a backend, priced, and added up by the groups that a caller asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from asm_core.querying.accounting.summaries import TokenSums, known_cost
from asm_core.values.money import exactly, total_usd
from asm_core.values.schemas import Described

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asm_core.querying.accounting.groups import Grouping
    from asm_core.querying.accounting.prices import Prices
    from asm_core.querying.accounting.summaries import CostTotals, UsageTotals


class UsageRow(TokenSums, frozen=True, kw_only=True):
    """The usage of the runs of one group.

    Fields that the caller did not group by are None. So is the provider, model or user of runs without one. `hour` is
    local with its offset, as ``2026-10-25T02:00+02:00``; `day` is as ``2026-10-25``, `month` as ``2026-10``.
    """

    provider: str | None = None
    model: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    hour: str | None = None
    day: str | None = None
    month: str | None = None
    run_count: int


class UsageSummary(TokenSums, frozen=True, kw_only=True):
    """The tokens that runs used: in total, and by group, in the order of the groups' values."""

    run_count: int
    rows: list[UsageRow]

    @classmethod
    def of(cls, totals: Iterable[UsageTotals], grouping: Grouping) -> Self:
        """Build the summary from a backend's totals."""
        groups = grouping.gather(totals)
        rows = [
            UsageRow(
                **group,
                run_count=sum(total.run_count for total in members),
                **TokenSums.fields(total.tokens for total in members),
            )
            for group, members in groups
        ]
        sums = [total.tokens for _, members in groups for total in members]
        return cls(run_count=sum(row.run_count for row in rows), rows=rows, **TokenSums.fields(sums))


class CostRow(Described, frozen=True, kw_only=True):
    """The costs of the runs of one group, in US dollars; the fields of groups are those of `UsageRow`.

    `cost_usd` adds the recorded costs and, for runs without one, the prices of their models; it is None if no cost is
    known. `unpriced_run_count` counts the runs whose cost is unknown: without a recorded cost, and without a price or
    without token counts.
    """

    provider: str | None = None
    model: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    hour: str | None = None
    day: str | None = None
    month: str | None = None
    run_count: int
    unpriced_run_count: int
    cost_usd: Decimal | None


class CostSummary(Described, frozen=True, kw_only=True):
    """The costs of runs in US dollars: in total, and by group, in the order of the groups' values.

    `total_cost_usd` is the sum of the known costs; None if there are runs and no cost is known.
    """

    run_count: int
    unpriced_run_count: int
    total_cost_usd: Decimal | None
    rows: list[CostRow]

    @classmethod
    def of(cls, totals: Iterable[CostTotals], grouping: Grouping, prices: Prices) -> Self:
        """Build the costs from a backend's totals by provider, model and the groups."""
        with exactly():
            groups = [
                (group, [_priced(total, grouping, prices) for total in members])
                for group, members in grouping.gather(totals)
            ]
        rows = [CostRow(**group, **_sums(members)) for group, members in groups]
        sums = _sums([member for _, members in groups for member in members])
        return cls(
            run_count=sums["run_count"],
            unpriced_run_count=sums["unpriced_run_count"],
            total_cost_usd=sums["cost_usd"],
            rows=rows,
        )


def _priced(total: CostTotals, grouping: Grouping, prices: Prices) -> tuple[int, int, Decimal]:
    """Return the number of runs, that of unpriced ones, and the known costs."""
    cost, unpriced = total.cost_usd, total.unpriced_run_count
    price = prices.price_of(*grouping.provider_and_model(total.key)) if unpriced else None
    if price is not None:
        cost += price.cost_of(TokenSums(**TokenSums.fields([total.unpriced_tokens])))
        unpriced = total.uncounted_run_count
    return total.run_count, unpriced, cost


def _sums(members: Sequence[tuple[int, int, Decimal]]) -> dict[str, Any]:
    run_count, unpriced = sum(member[0] for member in members), sum(member[1] for member in members)
    cost = known_cost(total_usd(member[2] for member in members), run_count, unpriced)
    return {"run_count": run_count, "unpriced_run_count": unpriced, "cost_usd": cost}
