"""Query APIs that add up usage and costs with one fault each, and the test that is meant to catch it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from fault_registry import caught_by

from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.models import TOKEN_COUNTS
from asm_core.querying.accounting.periods import EPOCH
from asm_core.querying.accounting.summaries import UsageTotals

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core import Run, Session
    from asm_core.querying.accounting.summaries import CostTotals, RunTotals
    from asm_core.querying.queries import UsageQuery

changed = msgspec.structs.replace
_WHOLES = [name in {"input_tokens", "output_tokens"} for name in TOKEN_COUNTS]


def _wholes_of(tokens: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(count if whole else 0 for count, whole in zip(tokens, _WHOLES, strict=True))


@caught_by("test_each_part_of_the_tokens_is_summed", "test_parts_that_a_run_gains_are_summed")
class PartsForgotten(MemoryQueryAPI):
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        return [changed(total, tokens=_wholes_of(total.tokens)) for total in super()._total_usage(query)]


@caught_by("test_usage_is_grouped_by_any_columns")
class GroupedByProviderAndModelAlways(MemoryQueryAPI):
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        totals = super()._total_usage(changed(query, group_by=("provider", "model")))
        return [changed(total, key=(total.key * 2)[: len(query.group_by)]) for total in totals]


@caught_by("test_usage_is_filtered_by_tags")
class AnyOfTheTags(MemoryQueryAPI):
    def _counts(self, run: Run, session: Session, query: UsageQuery) -> bool:
        has_one = not query.tags or bool(set(query.tags) & set(session.tags))
        return has_one and super()._counts(run, session, changed(query, tags=()))


@caught_by("test_usage_is_filtered_by_user")
class UsageOfAnyUser(MemoryQueryAPI):
    def _counts(self, run: Run, session: Session, query: UsageQuery) -> bool:
        return super()._counts(run, session, changed(query, user_ids=None))


@caught_by("test_usage_is_grouped_by_periods_of_a_time_zone")
class PeriodsOfUTC(MemoryQueryAPI):
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        if query.bucket is None:
            return super()._total_usage(query)
        days = super()._total_usage(changed(query, bucket=86_400))
        return [changed(day, key=(*day.key[:-1], day.key[-1] * 86_400 // query.bucket)) for day in days]


@caught_by("test_early_times_have_buckets_too")
class BucketsTowardsZero(MemoryQueryAPI):
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        totals = super()._total_usage(query)
        if query.bucket is None:
            return totals
        unix = (datetime(1970, 1, 1, tzinfo=UTC) - EPOCH).total_seconds() // query.bucket
        return [
            changed(total, key=(*total.key[:-1], total.key[-1] + (1 if total.key[-1] < unix else 0)))
            for total in totals
        ]


@caught_by("test_periods_and_columns_combine")
class BucketBeforeColumns(MemoryQueryAPI):
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        totals = super()._total_usage(query)
        if query.bucket is None or not query.group_by:
            return totals
        return [changed(total, key=(0, *total.key[:-1], total.key[-1])) for total in totals]


@caught_by("test_no_runs_form_no_group")
class SumOfNothing(MemoryQueryAPI):
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        totals = super()._total_usage(query)
        if totals or query.group_by:
            return totals

        return [UsageTotals(key=(0,), run_count=0, tokens=(0,) * len(TOKEN_COUNTS))]


@caught_by("test_cached_tokens_have_their_own_price")
class EveryInputAtThePriceOfInput(MemoryQueryAPI):
    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        totals = super()._total_costs(query)
        return [changed(total, unpriced_tokens=_wholes_of(total.unpriced_tokens)) for total in totals]


@caught_by("test_a_cost_without_a_price_is_unknown")
class UnknownCostsAreNone(MemoryQueryAPI):
    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        return [changed(total, unpriced_run_count=0) for total in super()._total_runs(session_ids)]


@caught_by("test_a_run_without_tokens_has_no_price")
class UncountedTokensAreNone(MemoryQueryAPI):
    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        return [changed(total, uncounted_run_count=0) for total in super()._total_costs(query)]
