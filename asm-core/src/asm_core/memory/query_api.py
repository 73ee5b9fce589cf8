"""The query API of the in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asm_core.memory.artifact_registry import live_artifacts
from asm_core.memory.reader import MemoryReader
from asm_core.ports import QueryAPI
from asm_core.querying.summaries import CostTotals, EventTotals, RunTotals, UsageRow
from asm_core.values.money import total_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable
    from decimal import Decimal

    from asm_core.memory.state import State
    from asm_core.models import Artifact, Run
    from asm_core.querying.queries import EventQuery, SessionQuery, UsageQuery

K = TypeVar("K", bound="Hashable")


class MemoryQueryAPI(QueryAPI):
    """The query API in memory."""

    def __init__(self, state: State, reader: MemoryReader | None = None) -> None:
        """Add up in `state`."""
        self._state = state
        self._reader = reader or MemoryReader(state)
        super().__init__(self._reader)

    def _count_sessions(self, query: SessionQuery) -> int:
        with self._state.lock:
            return sum(1 for _ in self._reader.passing_sessions(query))

    def _count_events(self, query: EventQuery) -> int:
        with self._state.lock:
            return sum(1 for _ in self._reader.passing_events(query))

    def _total_usage(self, query: UsageQuery) -> list[UsageRow]:
        return [
            UsageRow(
                provider=provider,
                model=model,
                run_count=len(runs),
                input_tokens=sum(run.input_tokens for run in runs),
                output_tokens=sum(run.output_tokens for run in runs),
                total_tokens=sum(run.total_tokens for run in runs),
            )
            for (provider, model), runs in self._counted(query)
        ]

    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        return [_cost_totals(provider, model, runs) for (provider, model), runs in self._counted(query)]

    def _counted(self, query: UsageQuery) -> Iterable[tuple[tuple[str | None, str | None], list[Run]]]:
        """Return the matching runs, by provider and model."""
        with self._state.lock:
            runs = [run for run in self._reader.runs() if self._counts(run, query)]
        return _grouped(runs, lambda run: (run.provider, run.model))

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        with self._state.lock:
            runs = [run for run in self._reader.runs() if run.session_id in session_ids]
        return [
            RunTotals(
                session_id=session_id,
                status=status,
                run_count=len(group),
                input_tokens=sum(run.input_tokens for run in group),
                output_tokens=sum(run.output_tokens for run in group),
                total_tokens=sum(run.total_tokens for run in group),
                cost_usd=_cost(group),
            )
            for (session_id, status), group in _grouped(runs, lambda run: (run.session_id, run.status))
        ]

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        with self._state.lock:
            known = [session_id for session_id in session_ids if self._reader.session(session_id) is not None]
            logs = {session_id: self._state.logs.get(session_id, {}).values() for session_id in known}
            return [
                EventTotals(
                    session_id=session_id,
                    event_count=len(log),
                    first_event_at=min(event.timestamp for event in log),
                    last_event_at=max(event.timestamp for event in log),
                )
                for session_id, log in logs.items()
                if log
            ]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return live_artifacts(self._state, session_id)

    def _counts(self, run: Run, query: UsageQuery) -> bool:
        return (
            (query.session_ids is None or run.session_id in query.session_ids)
            and (query.agent_ids is None or self._state.sessions[run.session_id].agent_id in query.agent_ids)
            and (query.providers is None or run.provider in query.providers)
            and (query.since is None or run.started_at >= query.since)
            and (query.until is None or run.started_at < query.until)
        )


def _cost_totals(provider: str | None, model: str | None, runs: list[Run]) -> CostTotals:
    unpriced = [run for run in runs if run.cost_usd is None]
    return CostTotals(
        provider=provider,
        model=model,
        run_count=len(runs),
        cost_usd=_cost(runs),
        unpriced_run_count=len(unpriced),
        unpriced_input_tokens=sum(run.input_tokens for run in unpriced),
        unpriced_output_tokens=sum(run.output_tokens for run in unpriced),
    )


def _cost(runs: Iterable[Run]) -> Decimal:
    return total_usd(run.cost_usd for run in runs if run.cost_usd is not None)


def _grouped(runs: Iterable[Run], key: Callable[[Run], K]) -> Iterable[tuple[K, list[Run]]]:
    groups: dict[K, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups.items()
