"""Adding up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, case, func, select

from asm_backend_sqlmodel.artifact_registry import find_artifacts
from asm_backend_sqlmodel.columns import in_utc
from asm_backend_sqlmodel.database import exact_sum
from asm_backend_sqlmodel.hints import unindexed
from asm_backend_sqlmodel.reader import EVENTS, RUNS, SESSIONS, SQLModelReader, event_filters, filters, session_filters
from asm_core import QueryAPI
from asm_core.sql.summing import event_totals, run_totals, usage_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from asm_core import Artifact, UsageRow
    from asm_core.queries import EventQuery, SessionQuery, UsageQuery
    from asm_core.summaries import EventTotals, RunTotals

_UNPRICED = RUNS.c.cost_nanos.is_(None)
_TOTALS: tuple[ColumnElement[Any], ...] = (
    RUNS.c.input_tokens,
    RUNS.c.output_tokens,
    RUNS.c.total_tokens,
    RUNS.c.cost_nanos,
)
_UNPRICED_TOKENS: tuple[ColumnElement[Any], ...] = (
    case((_UNPRICED, RUNS.c.input_tokens)),
    case((_UNPRICED, RUNS.c.output_tokens)),
)


def _sums(values: Iterable[Any]) -> list[ColumnElement[int]]:
    return [half for value in values for half in exact_sum(value)]


class SQLModelQueryAPI(SQLModelReader, QueryAPI):
    """The query API on SQLModel."""

    def _count_sessions(self, query: SessionQuery) -> int:
        statement = select(func.count()).select_from(SESSIONS).where(*session_filters(query))
        return int(self._rows(statement)[0][0])

    def _count_events(self, query: EventQuery) -> int:
        statement = select(func.count()).select_from(EVENTS).where(*event_filters(query))
        return int(self._rows(statement)[0][0])

    def _total_usage(self, query: UsageQuery) -> list[UsageRow]:
        runs = RUNS.c
        statement = (
            select(
                runs.provider,
                runs.model,
                func.count(),
                func.count(case((_UNPRICED, 1))),
                *_sums((*_TOTALS, *_UNPRICED_TOKENS)),
            )
            .where(*filters(RUNS, query))
            .group_by(unindexed(runs.provider), runs.model)
        )
        if query.agent_ids is not None:
            statement = statement.where(
                runs.session_id.in_(select(SESSIONS.c.id).where(SESSIONS.c.agent_id.in_(query.agent_ids)))
            )
        return [usage_row(row) for row in self._rows(statement)]

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        statement = (
            select(RUNS.c.session_id, RUNS.c.status, func.count(), *_sums(_TOTALS))
            .where(RUNS.c.session_id.in_(session_ids))
            .group_by(RUNS.c.session_id, RUNS.c.status)
        )
        return [run_totals(row) for row in self._rows(statement)]

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        times = EVENTS.c.timestamp
        statement = (
            select(EVENTS.c.session_id, func.count(), in_utc(func.min(times)), in_utc(func.max(times)))
            .where(EVENTS.c.session_id.in_(session_ids))
            .group_by(EVENTS.c.session_id)
        )
        return [event_totals(row, self._codec) for row in self._rows(statement)]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        with self._database.read() as connection:
            return find_artifacts(connection, self._codec, session_id)
