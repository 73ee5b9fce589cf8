"""Adding up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from asm_backend_sqlmodel.artifact_registry import find_artifacts
from asm_backend_sqlmodel.reader import EVENTS, RUNS, SESSIONS, SQLModelReader, allowed, event_filters, session_filters
from asm_core import QueryAPI, RunStatus, UsageRow
from asm_core.money import usd_from_nanos
from asm_core.summaries import EventTotals, RunTotals

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core import Artifact
    from asm_core.queries import EventQuery, SessionQuery, UsageQuery

_TOKENS = (func.sum(RUNS.c.input_tokens), func.sum(RUNS.c.output_tokens), func.sum(RUNS.c.total_tokens))
_COST = func.coalesce(func.sum(RUNS.c.cost_nanos), 0)


def _unpriced(value: object) -> object:
    return func.coalesce(func.sum(case((RUNS.c.cost_nanos.is_(None), value), else_=0)), 0)


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
                *_TOKENS,
                _COST,
                _unpriced(1),
                _unpriced(runs.input_tokens),
                _unpriced(runs.output_tokens),
            )
            .where(*allowed(runs.session_id, query.session_ids), *allowed(runs.provider, query.providers))
            .group_by(runs.provider, runs.model)
        )
        if query.agent_ids is not None:
            statement = statement.where(
                runs.session_id.in_(select(SESSIONS.c.id).where(SESSIONS.c.agent_id.in_(query.agent_ids)))
            )
        if query.since is not None:
            statement = statement.where(runs.started_at >= query.since)
        if query.until is not None:
            statement = statement.where(runs.started_at < query.until)
        return [
            UsageRow(
                provider=provider,
                model=model,
                run_count=count,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                total_tokens=total_tokens,
                cost_usd=usd_from_nanos(cost),
                unpriced_run_count=unpriced,
                unpriced_input_tokens=unpriced_input,
                unpriced_output_tokens=unpriced_output,
            )
            for (
                provider,
                model,
                count,
                input_tokens,
                output_tokens,
                total_tokens,
                cost,
                unpriced,
                unpriced_input,
                unpriced_output,
            ) in self._rows(statement)
        ]

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        statement = (
            select(RUNS.c.session_id, RUNS.c.status, func.count(), *_TOKENS, _COST)
            .where(RUNS.c.session_id.in_(session_ids))
            .group_by(RUNS.c.session_id, RUNS.c.status)
        )
        return [
            RunTotals(
                session_id=session_id,
                status=RunStatus(status),
                run_count=count,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                total_tokens=total_tokens,
                cost_usd=usd_from_nanos(cost),
            )
            for session_id, status, count, input_tokens, output_tokens, total_tokens, cost in self._rows(statement)
        ]

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        times = EVENTS.c.timestamp
        statement = (
            select(EVENTS.c.session_id, func.count(), func.min(times), func.max(times))
            .where(EVENTS.c.session_id.in_(session_ids))
            .group_by(EVENTS.c.session_id)
        )
        return [
            EventTotals(session_id=session_id, event_count=count, first_event_at=first, last_event_at=last)
            for session_id, count, first, last in self._rows(statement)
        ]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        with self._database.read() as connection:
            return find_artifacts(connection, self._codec, session_id)
