"""Reading from any SQL database: an adapter puts each shape of a question into its ORM's words, once."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from asm_core.errors import QueryError
from asm_core.ports import QueryAPI, Reader
from asm_core.queries import EventQuery, RunQuery, SessionQuery
from asm_core.sql.database import D, OnDatabase
from asm_core.sql.statements import Statement, Statements
from asm_core.sql.summing import cost_totals, event_totals, run_totals, usage_row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from asm_core.models import Event, Run, Session
    from asm_core.queries import UsageQuery
    from asm_core.summaries import CostTotals, EventTotals, RunTotals, UsageRow

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
        self._sessions_of = Statements(self._codec, self._select_sessions)
        self._runs_of = Statements(self._codec, self._select_runs)
        self._events_of = Statements(self._codec, self._select_events)
        self._heads_of = Statements(self._codec, self._select_heads)

    def _load_session(self, session_id: str) -> Session | None:
        return next(iter(self._find_sessions(SessionQuery(ids=(session_id,), include_deleted=True))), None)

    def _load_run(self, run_id: str) -> Run | None:
        return next(iter(self._find_runs(RunQuery(ids=(run_id,)))), None)

    def _find_sessions(self, query: SessionQuery) -> list[Session]:
        return self._answer(self._sessions_of.of(query), self._codec.sessions)

    def _find_runs(self, query: RunQuery) -> list[Run]:
        return self._answer(self._runs_of.of(query), self._codec.runs)

    def _find_events(self, query: EventQuery) -> list[Event]:
        return self._answer(self._events_of.of(query), self._codec.events)

    def _latest_sequences(self, session_ids: Collection[str]) -> dict[str, int]:
        query = SessionQuery(ids=tuple(session_ids), include_deleted=True)
        return dict(self._answer(self._heads_of.of(query), list))

    def _answer(self, statement: Statement, decode: Callable[[list[Any]], list[T]]) -> list[T]:
        """Return what `decode` makes of the rows, some hundred at a time."""
        found: list[T] = []
        with self._database.read() as connection:
            cursor = connection.execute_sql(*statement)
            while True:
                rows = cursor.fetchmany(_CHUNK)
                found += decode(rows)
                if len(rows) < _CHUNK:
                    return found

    # -- what an adapter writes ---------------------------------------------------------------------------------------

    @abstractmethod
    def _select_sessions(self, query: SessionQuery) -> Statement:
        """Select the columns of the sessions that pass a query, in its order, from its start on."""

    @abstractmethod
    def _select_runs(self, query: RunQuery) -> Statement:
        """Select the columns of the runs that pass a query, in its order, from its start on."""

    @abstractmethod
    def _select_events(self, query: EventQuery) -> Statement:
        """Select the columns of the events that pass a query, in its order, from its start on."""

    @abstractmethod
    def _select_heads(self, query: SessionQuery) -> Statement:
        """Select the id of each session that passes a query, and the last number given out there, or 0."""


class SQLQueryAPI(SQLReader[D], QueryAPI):
    """The query API on any SQL database."""

    def __init__(self, database: D) -> None:
        """Add up in `database`."""
        super().__init__(database)
        self._session_counts = Statements(self._codec, self._select_session_count)
        self._event_counts = Statements(self._codec, self._select_event_count)
        self._usage_of = Statements(self._codec, self._select_usage)
        self._exact_usage_of = Statements(self._codec, self._select_exact_usage)
        self._costs_of = Statements(self._codec, self._select_costs)
        self._run_totals_of = Statements(self._codec, self._select_run_totals)
        self._event_totals_of = Statements(self._codec, self._select_event_totals)

    def _count_sessions(self, query: SessionQuery) -> int:
        return self._count(self._session_counts.of(_whole(query)))

    def _count_events(self, query: EventQuery) -> int:
        return self._count(self._event_counts.of(_whole(query)))

    def _total_usage(self, query: UsageQuery) -> list[UsageRow]:
        try:
            rows = self._answer(self._usage_of.of(query), list)
        except QueryError:
            # SQLite refuses a sum beyond 64 bits: only then are high and low halves added up apart.
            rows = self._answer(self._exact_usage_of.of(query), list)
        return list(map(usage_row, rows))

    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        return list(map(cost_totals, self._answer(self._costs_of.of(query), list)))

    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        query = RunQuery(session_ids=tuple(session_ids))
        return list(map(run_totals, self._answer(self._run_totals_of.of(query), list)))

    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        query = EventQuery(session_ids=tuple(session_ids))
        rows = self._answer(self._event_totals_of.of(query), list)
        return [event_totals(row, self._codec) for row in rows]

    def _count(self, statement: Statement) -> int:
        return int(self._answer(statement, list)[0][0])

    # -- what an adapter writes ---------------------------------------------------------------------------------------

    @abstractmethod
    def _select_session_count(self, query: SessionQuery) -> Statement:
        """Select how many sessions pass the filters of a query."""

    @abstractmethod
    def _select_event_count(self, query: EventQuery) -> Statement:
        """Select how many events pass the filters of a query."""

    @abstractmethod
    def _select_usage(self, query: UsageQuery) -> Statement:
        """Select what `usage_row` takes of the runs that pass a query, by provider and model, with plain sums."""

    @abstractmethod
    def _select_exact_usage(self, query: UsageQuery) -> Statement:
        """Select the same with sums of halves."""

    @abstractmethod
    def _select_costs(self, query: UsageQuery) -> Statement:
        """Select what `cost_totals` takes of the runs that pass a query, by provider and model."""

    @abstractmethod
    def _select_run_totals(self, query: RunQuery) -> Statement:
        """Select what `run_totals` takes of the runs that pass a query, by session and status."""

    @abstractmethod
    def _select_event_totals(self, query: EventQuery) -> Statement:
        """Select what `event_totals` takes of the events that pass a query, by session."""


def _whole(query: Q) -> Q:
    """Return a query without what cuts its answer."""
    return msgspec.structs.replace(query, start=None, limit=None)
