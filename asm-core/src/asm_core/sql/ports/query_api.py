"""The query API on any SQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from asm_core.errors import QueryError
from asm_core.ports import QueryAPI
from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery
from asm_core.sql.ports.reader import SQLReader
from asm_core.sql.queries import ArtifactQueries, ReadQueries, TotalQueries
from asm_core.sql.rows.summing import cost_totals, event_totals, exact_usage_totals, run_totals, usage_totals

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core.models import Artifact
    from asm_core.querying.accounting.summaries import CostTotals, EventTotals, RunTotals, UsageTotals
    from asm_core.querying.queries import UsageQuery
    from asm_core.sql.database import Database
    from asm_core.sql.queries import Statement
    from asm_core.sql.replica import Replica

Q = TypeVar("Q", SessionQuery, EventQuery)


class SQLQueryAPI(QueryAPI):
    """Searches with a `SQLReader`, counts and adds up with core's SQL."""

    def __init__(self, database: Database[Any], replica: Replica | None = None) -> None:
        """Add up in `database`; in `replica` first, if there is one."""
        reader = SQLReader(database, replica)
        super().__init__(reader)
        self._answer = reader.answer
        self._codec = database.codec
        self._reads = ReadQueries(database.words)
        self._totals = TotalQueries(database.words)
        self._artifacts = ArtifactQueries(database.words)

    def _count_sessions(self, query: SessionQuery) -> int:
        return self._count(self._reads.session_count(_whole(query)))

    def _count_events(self, query: EventQuery) -> int:
        return self._count(self._reads.event_count(_whole(query)))

    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        try:
            return list(map(usage_totals, self._answer(self._totals.usage(query), list)))
        except QueryError:
            # SQLite fails on a sum beyond 64 bits: only then are high and low halves summed separately.
            return list(map(exact_usage_totals, self._answer(self._totals.exact_usage(query), list)))

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
    """Return a query without limits."""
    return msgspec.structs.replace(query, after_key=None, limit=None)
