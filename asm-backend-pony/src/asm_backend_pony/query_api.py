"""Adding up. Sums may exceed 64 bits, so each is selected as two halves, which core puts together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pony.orm import count, raw_sql, select

from asm_backend_pony.artifact_registry import HALVED, PonyArtifactRegistry
from asm_backend_pony.hints import unindexed
from asm_backend_pony.reader import PonyReader
from asm_backend_pony.translating import selected
from asm_core.sql import SQLQueryAPI, Statement

if TYPE_CHECKING:
    from pony.orm.core import Query
    from pony.orm.ormtypes import RawSQL

    from asm_backend_pony.database import Database  # noqa: F401  the base class is given it
    from asm_core import Artifact
    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery


class PonyQueryAPI(PonyReader, SQLQueryAPI["Database"]):
    """Searches, totals and exports."""

    def _select_session_count(self, query: SessionQuery) -> Statement:
        sessions = self._sessions(query)
        return selected(select(count() for s in sessions))

    def _select_event_count(self, query: EventQuery) -> Statement:
        return selected(self._passing("e", select(count() for e in self._models.EventRow), query))

    def _select_usage(self, query: UsageQuery) -> Statement:
        provider, runs = self._ungrouped_provider(), self._models.RunRow
        usage = select(
            (provider, r.model, count(), sum(r.input_tokens), sum(r.output_tokens), sum(r.total_tokens)) for r in runs
        )
        return selected(self._pass_usage(usage, query))

    def _select_exact_usage(self, query: UsageQuery) -> Statement:
        provider = self._ungrouped_provider()
        usage = select(
            (
                provider,
                r.model,
                count(),
                sum(r.input_tokens // HALVED),
                sum(r.input_tokens % HALVED),
                sum(r.output_tokens // HALVED),
                sum(r.output_tokens % HALVED),
                sum(r.total_tokens // HALVED),
                sum(r.total_tokens % HALVED),
            )
            for r in self._models.RunRow
        )
        return selected(self._pass_usage(usage, query))

    def _select_costs(self, query: UsageQuery) -> Statement:
        provider = self._ungrouped_provider()
        unpriced = raw_sql("CASE WHEN r.cost_nanos IS NULL THEN 1 ELSE 0 END", int)
        costs = select(
            (
                provider,
                r.model,
                count(),
                count() - count(r.cost_nanos, distinct=False),
                sum(r.cost_nanos // HALVED),
                sum(r.cost_nanos % HALVED),
                sum(r.input_tokens // HALVED * unpriced),
                sum(r.input_tokens % HALVED * unpriced),
                sum(r.output_tokens // HALVED * unpriced),
                sum(r.output_tokens % HALVED * unpriced),
            )
            for r in self._models.RunRow
        )
        return selected(self._pass_usage(costs, query))

    def _select_run_totals(self, query: RunQuery) -> Statement:
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
        return selected(self._passing("r", totals, query))

    def _select_event_totals(self, query: EventQuery) -> Statement:
        totals = select((e.session_id, count(), min(e.timestamp), max(e.timestamp)) for e in self._models.EventRow)
        return selected(self._passing("e", totals, query))

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return PonyArtifactRegistry(self._database)._find_artifacts(session_id)  # noqa: SLF001  a sibling's

    def _ungrouped_provider(self) -> RawSQL:
        return raw_sql(unindexed("r.provider", self._database.dialect))

    def _pass_usage(self, found: Query, query: UsageQuery) -> Query:
        found = self._passing("r", found, query)
        if query.agent_ids is None:
            return found
        of_agents, sessions = self._columns.chosen("s.agent_id", query.agent_ids[0]), self._models.SessionRow
        return found.where(lambda r: r.session_id in select(s.id for s in sessions if of_agents))
