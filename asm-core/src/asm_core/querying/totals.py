"""Totals of models, for stores that are not SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asm_core.querying.summaries import CostTotals, EventTotals, RunTotals, UsageRow
from asm_core.values.money import total_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from decimal import Decimal

    from asm_core.models import Event, Run

K = TypeVar("K", bound="Hashable")
T = TypeVar("T")


def total_usage(runs: Iterable[Run]) -> list[UsageRow]:
    """Return the usage of runs, by provider and model."""
    return [
        UsageRow(
            provider=provider,
            model=model,
            run_count=len(group),
            input_tokens=sum(run.token_usage.input_tokens for run in group),
            output_tokens=sum(run.token_usage.output_tokens for run in group),
            total_tokens=sum(run.total_tokens for run in group),
        )
        for (provider, model), group in _grouped(runs, lambda run: (run.provider, run.model))
    ]


def total_costs(runs: Iterable[Run]) -> list[CostTotals]:
    """Return the costs of runs, by provider and model."""
    return [
        _cost_totals(provider, model, group)
        for (provider, model), group in _grouped(runs, lambda run: (run.provider, run.model))
    ]


def total_runs(runs: Iterable[Run]) -> list[RunTotals]:
    """Return the totals of runs, by session and status."""
    return [
        RunTotals(
            session_id=session_id,
            status=status,
            run_count=len(group),
            input_tokens=sum(run.token_usage.input_tokens for run in group),
            output_tokens=sum(run.token_usage.output_tokens for run in group),
            total_tokens=sum(run.total_tokens for run in group),
            cost_usd=_cost(group),
        )
        for (session_id, status), group in _grouped(runs, lambda run: (run.session_id, run.status))
    ]


def total_events(events: Iterable[Event]) -> list[EventTotals]:
    """Return the totals of events, by session."""
    return [
        EventTotals(
            session_id=session_id,
            event_count=len(group),
            first_event_at=min(event.timestamp for event in group),
            last_event_at=max(event.timestamp for event in group),
        )
        for session_id, group in _grouped(events, lambda event: event.session_id)
    ]


def _cost_totals(provider: str | None, model: str | None, runs: list[Run]) -> CostTotals:
    unpriced = [run for run in runs if run.cost_usd is None]
    return CostTotals(
        provider=provider,
        model=model,
        run_count=len(runs),
        cost_usd=_cost(runs),
        unpriced_run_count=len(unpriced),
        unpriced_input_tokens=sum(run.token_usage.input_tokens for run in unpriced),
        unpriced_output_tokens=sum(run.token_usage.output_tokens for run in unpriced),
    )


def _cost(runs: Iterable[Run]) -> Decimal:
    return total_usd(run.cost_usd for run in runs if run.cost_usd is not None)


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> Iterable[tuple[K, list[T]]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()
