"""The query API of the in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.memory.artifact_registry import live_artifacts
from asm_core.memory.reader import MemoryReader
from asm_core.ports import QueryAPI
from asm_core.querying.accounting.totals import total_costs, total_events, total_runs, total_usage
from asm_core.querying.matching import usage_matches

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core.memory.state import State
    from asm_core.models import Artifact, Run, Session
    from asm_core.querying.accounting.summaries import CostTotals, EventTotals, RunTotals, UsageTotals
    from asm_core.querying.queries import EventQuery, SessionQuery, UsageQuery


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

    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        return total_usage(self._counted(query), query)

    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        return total_costs(self._counted(query), query)

    def _counted(self, query: UsageQuery) -> list[tuple[Run, Session]]:
        with self._state.lock:
            runs = [(run, self._state.sessions[run.session_id]) for run in self._reader.runs()]
        return [(run, session) for run, session in runs if self._counts(run, session, query)]

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        with self._state.lock:
            return total_runs(run for run in self._reader.runs() if run.session_id in session_ids)

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        with self._state.lock:
            known = [session_id for session_id in session_ids if self._reader.session(session_id) is not None]
            return total_events(
                event for session_id in known for event in self._state.logs.get(session_id, {}).values()
            )

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return live_artifacts(self._state, session_id)

    def _counts(self, run: Run, session: Session, query: UsageQuery) -> bool:
        return usage_matches(run, session, query)
