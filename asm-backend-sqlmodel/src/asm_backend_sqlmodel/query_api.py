"""Adding up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, case, func, select

from asm_backend_sqlmodel.artifact_registry import find_artifacts
from asm_backend_sqlmodel.columns import in_utc
from asm_backend_sqlmodel.database import Database, exact_sum
from asm_backend_sqlmodel.hints import unindexed
from asm_backend_sqlmodel.reader import EVENTS, RUNS, SESSIONS, SQLModelReader, chosen, filters, session_filters
from asm_core.sql import SQLQueryAPI, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select

    from asm_core import Artifact
    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

_UNPRICED = RUNS.c.cost_nanos.is_(None)
_TOKENS: tuple[ColumnElement[Any], ...] = (RUNS.c.input_tokens, RUNS.c.output_tokens, RUNS.c.total_tokens)
_UNPRICED_TOKENS: tuple[ColumnElement[Any], ...] = (
    case((_UNPRICED, RUNS.c.input_tokens)),
    case((_UNPRICED, RUNS.c.output_tokens)),
)


def _exact_sums(values: Iterable[Any]) -> list[ColumnElement[int]]:
    return [half for value in values for half in exact_sum(value)]


class SQLModelQueryAPI(SQLModelReader, SQLQueryAPI[Database]):
    """The query API on SQLModel."""

    def _select_session_count(self, query: SessionQuery) -> Statement:
        return self._compiled(select(func.count()).select_from(SESSIONS).where(*session_filters(query)))

    def _select_event_count(self, query: EventQuery) -> Statement:
        return self._compiled(select(func.count()).select_from(EVENTS).where(*filters(EVENTS, query)))

    def _select_usage(self, query: UsageQuery) -> Statement:
        return self._compiled(_by_provider_and_model(query, func.count(), *map(func.sum, _TOKENS)))

    def _select_exact_usage(self, query: UsageQuery) -> Statement:
        return self._compiled(_by_provider_and_model(query, func.count(), *_exact_sums(_TOKENS)))

    def _select_costs(self, query: UsageQuery) -> Statement:
        unpriced = func.count(case((_UNPRICED, 1)))
        sums = _exact_sums((RUNS.c.cost_nanos, *_UNPRICED_TOKENS))
        return self._compiled(_by_provider_and_model(query, func.count(), unpriced, *sums))

    def _select_run_totals(self, query: RunQuery) -> Statement:
        statement = select(RUNS.c.session_id, RUNS.c.status, func.count(), *_exact_sums((*_TOKENS, RUNS.c.cost_nanos)))
        return self._compiled(statement.where(*filters(RUNS, query)).group_by(RUNS.c.session_id, RUNS.c.status))

    def _select_event_totals(self, query: EventQuery) -> Statement:
        times = EVENTS.c.timestamp
        statement = select(EVENTS.c.session_id, func.count(), in_utc(func.min(times)), in_utc(func.max(times)))
        return self._compiled(statement.where(*filters(EVENTS, query)).group_by(EVENTS.c.session_id))

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        with self._database.read() as connection:
            return find_artifacts(connection, self._codec, session_id)


def _by_provider_and_model(query: UsageQuery, *totals: ColumnElement[Any]) -> Select[Any]:
    runs = RUNS.c
    statement = select(runs.provider, runs.model, *totals).where(*filters(RUNS, query))
    if query.agent_ids is not None:
        of_agents = select(SESSIONS.c.id).where(chosen(SESSIONS.c.agent_id, query.agent_ids[0]))
        statement = statement.where(runs.session_id.in_(of_agents))
    return statement.group_by(unindexed(runs.provider), runs.model)
