"""Adding up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SQL, Case, fn

from asm_backend_peewee.artifact_registry import find_artifacts
from asm_backend_peewee.columns import in_utc
from asm_backend_peewee.database import Database, exact_sum
from asm_backend_peewee.hints import unindexed
from asm_backend_peewee.reader import PeeweeReader, narrowed
from asm_core.sql import SQLQueryAPI, Statement

if TYPE_CHECKING:
    from asm_core import Artifact
    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

COUNT = fn.COUNT(SQL("*"))


def _exact_sums(*values: Any) -> list[Any]:
    return [half for value in values for half in exact_sum(value)]


class PeeweeQueryAPI(PeeweeReader, SQLQueryAPI[Database]):
    """The query API on Peewee."""

    def _select_session_count(self, query: SessionQuery) -> Statement:
        return Statement(*narrowed(self._sessions.select(COUNT), self._session_filters(query)).sql())

    def _select_event_count(self, query: EventQuery) -> Statement:
        return Statement(*narrowed(self._events.select(COUNT), self._filters(self._events, query)).sql())

    def _select_usage(self, query: UsageQuery) -> Statement:
        return self._by_provider_and_model(query, COUNT, *map(fn.SUM, self._tokens()))

    def _select_exact_usage(self, query: UsageQuery) -> Statement:
        return self._by_provider_and_model(query, COUNT, *_exact_sums(*self._tokens()))

    def _select_costs(self, query: UsageQuery) -> Statement:
        runs = self._runs
        unpriced = runs.cost_nanos.is_null()
        tokens = [Case(None, [(unpriced, column)]) for column in (runs.input_tokens, runs.output_tokens)]
        sums = _exact_sums(runs.cost_nanos, *tokens)
        return self._by_provider_and_model(query, COUNT, fn.COUNT(Case(None, [(unpriced, 1)])), *sums)

    def _select_run_totals(self, query: RunQuery) -> Statement:
        runs = self._runs
        totals = runs.select(runs.session, runs.status, COUNT, *_exact_sums(*self._tokens(), runs.cost_nanos))
        return Statement(*narrowed(totals, self._filters(runs, query)).group_by(runs.session, runs.status).sql())

    def _select_event_totals(self, query: EventQuery) -> Statement:
        events = self._events
        first, last = (in_utc(of(events.timestamp), self._dialect) for of in (fn.MIN, fn.MAX))
        totals = events.select(events.session_id, COUNT, first, last)
        return Statement(*narrowed(totals, self._filters(events, query)).group_by(events.session_id).sql())

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return find_artifacts(self._database, session_id)

    def _tokens(self) -> tuple[Any, ...]:
        return self._runs.input_tokens, self._runs.output_tokens, self._runs.total_tokens

    def _by_provider_and_model(self, query: UsageQuery, *totals: Any) -> Statement:
        runs, sessions = self._runs, self._sessions
        conditions = self._filters(runs, query)
        if query.agent_ids is not None:
            of_agents = self._chosen(sessions.agent_id, query.agent_ids[0])
            conditions.append(runs.session.in_(sessions.select(sessions.id).where(of_agents)))
        found = narrowed(runs.select(runs.provider, runs.model, *totals), conditions)
        return Statement(*found.group_by(unindexed(runs.provider, self._dialect), runs.model).sql())
