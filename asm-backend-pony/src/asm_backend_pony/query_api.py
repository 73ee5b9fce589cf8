"""Adding up. Sums may exceed 64 bits, so each is selected as two halves, which core puts together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm import count, raw_sql, select

from asm_backend_pony.artifact_registry import HALVED, PonyArtifactRegistry
from asm_backend_pony.hints import unindexed
from asm_backend_pony.reader import PonyReader
from asm_core import QueryAPI
from asm_core.sql.summing import event_totals, run_totals, usage_row

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_core import Artifact, UsageRow
    from asm_core.queries import EventQuery, SessionQuery, UsageQuery
    from asm_core.summaries import EventTotals, RunTotals


class PonyQueryAPI(PonyReader, QueryAPI):
    """Searches, totals and exports."""

    def _count_sessions(self, query: SessionQuery) -> int:
        sessions = self._sessions(query)
        return self._count(select(count() for s in sessions))

    def _count_events(self, query: EventQuery) -> int:
        return self._count(self._passing("e", select(count() for e in self._models.EventRow), query))

    def _total_usage(self, query: UsageQuery) -> list[UsageRow]:
        with self._database.read() as connection:
            return [usage_row(_whole(row, 4)) for row in connection.rows(self._pass_usage(self._usage(), query))]

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        totals = select(
            (
                r.session_id,
                r.status,
                count(),
                sum(r.input_tokens // HALVED),
                sum(r.input_tokens % HALVED),
                sum(r.output_tokens // HALVED),
                sum(r.output_tokens % HALVED),
                sum(r.total_tokens // HALVED),
                sum(r.total_tokens % HALVED),
                sum(r.cost_nanos // HALVED),
                sum(r.cost_nanos % HALVED),
            )
            for r in self._models.RunRow
        )
        with self._database.read() as connection:
            rows = connection.rows(self._any_of(totals, "r.session_id", session_ids))
            return [run_totals(_whole(row, 3)) for row in rows]

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        totals = select((e.session_id, count(), min(e.timestamp), max(e.timestamp)) for e in self._models.EventRow)
        with self._database.read() as connection:
            rows = connection.rows(self._any_of(totals, "e.session_id", session_ids))
            return [event_totals(row, self._codec) for row in rows]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return PonyArtifactRegistry(self._database)._find_artifacts(session_id)  # noqa: SLF001  a sibling's

    def _usage(self) -> Query:
        provider = raw_sql(unindexed("r.provider", self._database.dialect))
        unpriced = raw_sql("CASE WHEN r.cost_nanos IS NULL THEN 1 ELSE 0 END", int)
        return select(
            (
                provider,
                r.model,
                count(),
                count() - count(r.cost_nanos, distinct=False),
                sum(r.input_tokens // HALVED),
                sum(r.input_tokens % HALVED),
                sum(r.output_tokens // HALVED),
                sum(r.output_tokens % HALVED),
                sum(r.total_tokens // HALVED),
                sum(r.total_tokens % HALVED),
                sum(r.cost_nanos // HALVED),
                sum(r.cost_nanos % HALVED),
                sum(r.input_tokens // HALVED * unpriced),
                sum(r.input_tokens % HALVED * unpriced),
                sum(r.output_tokens // HALVED * unpriced),
                sum(r.output_tokens % HALVED * unpriced),
            )
            for r in self._models.RunRow
        )

    def _pass_usage(self, found: Query, query: UsageQuery) -> Query:
        found = self._passing("r", found, query)
        if query.agent_ids is None:
            return found
        agents, sessions = self._columns.several(query.agent_ids), self._models.SessionRow
        return found.where(lambda r: r.session_id in select(s.id for s in sessions if s.agent_id in agents))


def _whole(row: Sequence[Any], first: int) -> list[Any]:
    """Return a row with its halves of sums, from `first` on, as integers; PostgreSQL gives decimals."""
    return [*row[:first], *map(int, row[first:])]
