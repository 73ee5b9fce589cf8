"""Totals of models, for stores that are not SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from asm_core.models import TOKEN_COUNTS
from asm_core.querying.accounting.periods import bucket_number
from asm_core.querying.accounting.summaries import CostTotals, EventTotals, RunTotals, UsageTotals
from asm_core.values.money import total_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from decimal import Decimal

    from asm_core.models import Event, Run, Session
    from asm_core.querying.queries import UsageQuery

K = TypeVar("K", bound="Hashable")
T = TypeVar("T")


def total_usage(runs: Iterable[tuple[Run, Session]], query: UsageQuery) -> list[UsageTotals]:
    """Return the usage of runs of these sessions, by the groups of a query."""
    return [
        UsageTotals(key=key, run_count=len(group), tokens=_tokens(run for run, _ in group))
        for key, group in _grouped(runs, lambda pair: usage_key(*pair, query))
    ]


def total_costs(runs: Iterable[tuple[Run, Session]], query: UsageQuery) -> list[CostTotals]:
    """Return the costs of runs of these sessions, by the groups of a query."""
    return [
        _cost_totals(key, [run for run, _ in group])
        for key, group in _grouped(runs, lambda pair: usage_key(*pair, query))
    ]


def usage_key(run: Run, session: Session, query: UsageQuery) -> tuple[Any, ...]:
    """Return the key of a run in the totals of a query."""
    values = {
        "provider": run.provider,
        "model": run.model,
        "session_id": run.session_id,
        "agent_id": session.agent_id,
        "user_id": session.user_id,
    }
    bucket = () if query.bucket is None else (bucket_number(run.started_at, query.bucket),)
    return (*(values[name] for name in query.group_by), *bucket)


def total_runs(runs: Iterable[Run]) -> list[RunTotals]:
    """Return the totals of runs, by session and status."""
    return [
        RunTotals(
            session_id=session_id,
            status=status,
            run_count=len(group),
            tokens=_tokens(group),
            cost_usd=_cost(group),
            unpriced_run_count=sum(run.cost_usd is None for run in group),
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


def _cost_totals(key: tuple[Any, ...], runs: list[Run]) -> CostTotals:
    unpriced = [run for run in runs if run.cost_usd is None]
    return CostTotals(
        key=key,
        run_count=len(runs),
        cost_usd=_cost(runs),
        unpriced_run_count=len(unpriced),
        uncounted_run_count=sum(not run.total_tokens for run in unpriced),
        unpriced_tokens=_tokens(unpriced),
    )


def _tokens(runs: Iterable[Run]) -> tuple[int, ...]:
    usages = [run.token_usage for run in runs]
    return tuple(sum(usage.get(name, 0) for usage in usages) for name in TOKEN_COUNTS)


def _cost(runs: Iterable[Run]) -> Decimal:
    return total_usd(run.cost_usd for run in runs if run.cost_usd is not None)


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> Iterable[tuple[K, list[T]]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()
