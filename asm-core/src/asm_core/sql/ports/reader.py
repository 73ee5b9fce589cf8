"""Reading from any SQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from asm_core.errors import QueryError
from asm_core.ports import QueryAPI, Reader
from asm_core.querying.heads import Head
from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery
from asm_core.sql.database import D, OnDatabase
from asm_core.sql.queries import ArtifactQueries, ReadQueries, TotalQueries
from asm_core.sql.summing import cost_totals, event_totals, run_totals, usage_row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from asm_core.models import Artifact, Event, Run, Session
    from asm_core.querying.queries import UsageQuery
    from asm_core.querying.summaries import CostTotals, EventTotals, RunTotals, UsageRow
    from asm_core.sql.queries import Statement

T = TypeVar("T")
Q = TypeVar("Q", SessionQuery, EventQuery)

_CHUNK: Final = 500
"""How many rows are fetched at a time: thousands at once provoke a full garbage collection."""


class SQLReader(OnDatabase[D], Reader):
    """The primitives that the ports share."""

    def __init__(self, database: D) -> None:
        """Read from `database`."""
        self._database = database
        self._codec = database.codec
        self._reads = ReadQueries(database.dialect)

    def _load_session(self, session_id: str) -> Session | None:
        return next(iter(self._find_sessions(SessionQuery(ids=(session_id,), include_deleted=True))), None)

    def _load_run(self, run_id: str) -> Run | None:
        return next(iter(self._find_runs(RunQuery(ids=(run_id,)))), None)

    def _find_sessions(self, query: SessionQuery) -> list[Session]:
        return self._answer(self._reads.sessions(query), self._codec.sessions)

    def _find_runs(self, query: RunQuery) -> list[Run]:
        return self._answer(self._reads.runs(query), self._codec.runs)

    def _find_events(self, query: EventQuery) -> list[Event]:
        return self._answer(self._reads.events(query), self._codec.events)

    def _load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        rows = self._answer(self._reads.heads(tuple(session_ids)), list)
        return {session_id: Head(*fields) for session_id, *fields in rows}

    def _answer(self, statement: Statement, decode: Callable[[list[Any]], Sequence[T]]) -> list[T]:
        """Return what `decode` makes of the rows, some hundred at a time."""
        found: list[T] = []
        with self._database.read() as connection:
            cursor = connection.execute_sql(*statement)
            while True:
                rows = cursor.fetchmany(_CHUNK)
                found += decode(rows)
                if len(rows) < _CHUNK:
                    return found


class SQLQueryAPI(SQLReader[D], QueryAPI):
    """The query API on any SQL database."""

    def __init__(self, database: D) -> None:
        """Add up in `database`."""
        super().__init__(database)
        self._totals = TotalQueries(database.dialect)
        self._artifacts = ArtifactQueries(database.dialect)

    def _count_sessions(self, query: SessionQuery) -> int:
        return self._count(self._reads.session_count(_whole(query)))

    def _count_events(self, query: EventQuery) -> int:
        return self._count(self._reads.event_count(_whole(query)))

    def _total_usage(self, query: UsageQuery) -> list[UsageRow]:
        try:
            rows = self._answer(self._totals.usage(query), list)
        except QueryError:
            # SQLite refuses a sum beyond 64 bits: only then are high and low halves summed apart.
            rows = self._answer(self._totals.exact_usage(query), list)
        return list(map(usage_row, rows))

    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        return list(map(cost_totals, self._answer(self._totals.costs(query), list)))

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        query = RunQuery(session_ids=tuple(session_ids))
        return list(map(run_totals, self._answer(self._totals.runs(query), list)))

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        query = EventQuery(session_ids=tuple(session_ids))
        return [event_totals(row, self._codec) for row in self._answer(self._totals.events(query), list)]

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return self._answer(self._artifacts.of_session(session_id), lambda rows: list(map(self._codec.artifact, rows)))

    def _count(self, statement: Statement) -> int:
        return int(self._answer(statement, list)[0][0])


def _whole(query: Q) -> Q:
    """Return a query without what cuts its answer."""
    return msgspec.structs.replace(query, start=None, limit=None)
