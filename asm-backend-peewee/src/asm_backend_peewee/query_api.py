"""Adding up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SQL, Case, fn

from asm_backend_peewee.artifact_registry import find_artifacts
from asm_backend_peewee.columns import in_utc
from asm_backend_peewee.database import exact_sum
from asm_backend_peewee.hints import unindexed
from asm_backend_peewee.reader import PeeweeReader, filters, narrowed
from asm_core import QueryAPI
from asm_core.sql.summing import event_totals, run_totals, usage_row

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core import Artifact, UsageRow
    from asm_core.queries import EventQuery, SessionQuery, UsageQuery
    from asm_core.summaries import EventTotals, RunTotals

COUNT = fn.COUNT(SQL("*"))


def _sums(*values: Any) -> list[Any]:
    return [half for value in values for half in exact_sum(value)]


class PeeweeQueryAPI(PeeweeReader, QueryAPI):
    """The query API on Peewee."""

    def _count_sessions(self, query: SessionQuery) -> int:
        return int(self._rows(narrowed(self._sessions.select(COUNT), self._session_filters(query)))[0][0])

    def _count_events(self, query: EventQuery) -> int:
        return int(self._rows(narrowed(self._events.select(COUNT), self._event_filters(query)))[0][0])

    def _total_usage(self, query: UsageQuery) -> list[UsageRow]:
        runs, sessions = self._runs, self._sessions
        unpriced = runs.cost_nanos.is_null()
        conditions = filters(runs, query)
        if query.agent_ids is not None:
            of_agents = sessions.select(sessions.id).where(sessions.agent_id.in_(list(query.agent_ids)))
            conditions.append(runs.session.in_(of_agents))
        totals = runs.select(
            runs.provider,
            runs.model,
            COUNT,
            fn.COUNT(Case(None, [(unpriced, 1)])),
            *_sums(runs.input_tokens, runs.output_tokens, runs.total_tokens, runs.cost_nanos),
            *_sums(Case(None, [(unpriced, runs.input_tokens)]), Case(None, [(unpriced, runs.output_tokens)])),
        )
        grouped = narrowed(totals, conditions).group_by(unindexed(runs.provider, self._dialect), runs.model)
        return [usage_row(row) for row in self._rows(grouped)]

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        runs = self._runs
        totals = (
            runs.select(
                runs.session,
                runs.status,
                COUNT,
                *_sums(runs.input_tokens, runs.output_tokens, runs.total_tokens, runs.cost_nanos),
            )
            .where(runs.session.in_(list(session_ids)))
            .group_by(runs.session, runs.status)
        )
        return [run_totals(row) for row in self._rows(totals)]

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        events = self._events
        first, last = fn.MIN(events.timestamp), fn.MAX(events.timestamp)
        totals = (
            events.select(events.session_id, COUNT, in_utc(first, self._dialect), in_utc(last, self._dialect))
            .where(events.session_id.in_(list(session_ids)))
            .group_by(events.session_id)
        )
        return [event_totals(row, self._codec) for row in self._rows(totals)]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return find_artifacts(self._database, session_id)
