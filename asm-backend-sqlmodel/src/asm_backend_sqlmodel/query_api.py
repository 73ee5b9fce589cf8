"""Adding up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, case, func, select

from asm_backend_sqlmodel.artifact_registry import find_artifacts
from asm_backend_sqlmodel.columns import in_utc
from asm_backend_sqlmodel.database import exact_sum, whole_sum
from asm_backend_sqlmodel.hints import unindexed
from asm_backend_sqlmodel.reader import EVENTS, RUNS, SESSIONS, SQLModelReader, allowed, event_filters, session_filters
from asm_core import QueryAPI, RunStatus, UsageRow
from asm_core.money import usd_from_nanos
from asm_core.summaries import EventTotals, RunTotals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asm_core import Artifact
    from asm_core.queries import EventQuery, SessionQuery, UsageQuery

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


def _wholes(halves: Sequence[int | None]) -> list[int]:
    return [whole_sum(high, low) for high, low in zip(halves[::2], halves[1::2], strict=True)]


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
            .where(*allowed(runs.session_id, query.session_ids), *allowed(runs.provider, query.providers))
            .group_by(unindexed(runs.provider), runs.model)
        )
        if query.agent_ids is not None:
            statement = statement.where(
                runs.session_id.in_(select(SESSIONS.c.id).where(SESSIONS.c.agent_id.in_(query.agent_ids)))
            )
        if query.since is not None:
            statement = statement.where(runs.started_at >= query.since)
        if query.until is not None:
            statement = statement.where(runs.started_at < query.until)
        return [_usage_row(*row[:4], *_wholes(row[4:])) for row in self._rows(statement)]

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        statement = (
            select(RUNS.c.session_id, RUNS.c.status, func.count(), *_sums(_TOTALS))
            .where(RUNS.c.session_id.in_(session_ids))
            .group_by(RUNS.c.session_id, RUNS.c.status)
        )
        return [_run_totals(*row[:3], *_wholes(row[3:])) for row in self._rows(statement)]

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        times = EVENTS.c.timestamp
        statement = (
            select(EVENTS.c.session_id, func.count(), in_utc(func.min(times)), in_utc(func.max(times)))
            .where(EVENTS.c.session_id.in_(session_ids))
            .group_by(EVENTS.c.session_id)
        )
        return [
            EventTotals(
                session_id=session_id,
                event_count=count,
                first_event_at=self._codec.decode_time(first),
                last_event_at=self._codec.decode_time(last),
            )
            for session_id, count, first, last in self._rows(statement)
        ]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        with self._database.read() as connection:
            return find_artifacts(connection, self._codec, session_id)


def _usage_row(  # noqa: PLR0917  in the order of the statement
    provider: str | None,
    model: str | None,
    run_count: int,
    unpriced_run_count: int,
    input_tokens: int,
    output_tokens: int,
    total_tokens: int,
    cost_nanos: int,
    unpriced_input_tokens: int,
    unpriced_output_tokens: int,
) -> UsageRow:
    return UsageRow(
        provider=provider,
        model=model,
        run_count=run_count,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=total_tokens,
        cost_usd=usd_from_nanos(cost_nanos),
        unpriced_run_count=unpriced_run_count,
        unpriced_input_tokens=unpriced_input_tokens,
        unpriced_output_tokens=unpriced_output_tokens,
    )


def _run_totals(  # noqa: PLR0917  in the order of the statement
    session_id: str,
    status: str,
    run_count: int,
    input_tokens: int,
    output_tokens: int,
    total_tokens: int,
    cost_nanos: int,
) -> RunTotals:
    return RunTotals(
        session_id=session_id,
        status=RunStatus(status),
        run_count=run_count,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=total_tokens,
        cost_usd=usd_from_nanos(cost_nanos),
    )
