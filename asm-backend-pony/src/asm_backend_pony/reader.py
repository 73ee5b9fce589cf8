"""Reading sessions, runs and events: neutral queries as Pony's, rows to models through core's codec.

Each query calls its entity by one letter: `s` sessions, `r` runs, `e` events, `q` the counters, `a` artifacts.

Pony knows a parameter by its name, the code in which it stands, and the how manieth filter that is. So what `_any_of` and
`_compared` filter must not be a query inside another one that they filter too: its parameters would be taken for the other's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm import raw_sql, select

from asm_core.ports import Reader
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_backend_pony.database import Database
    from asm_core import Event, Run, Session
    from asm_core.queries import EventQuery, RunQuery, SessionQuery


class PonyReader(Reader):
    """The primitives that three ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database
        self._codec = database.codec
        self._columns = database.columns
        self._models = database.models

    def _load_session(self, session_id: str) -> Session | None:
        columns = self._columns.of("s", SESSION_COLUMNS)
        found = select(columns for s in self._models.SessionRow if s.id == session_id).without_distinct()
        with self._database.read() as connection:
            return next(map(self._codec.session, list(connection.rows(found))), None)

    def _load_run(self, run_id: str) -> Run | None:
        columns = self._columns.of("r", RUN_COLUMNS)
        found = select(columns for r in self._models.RunRow if r.id == run_id).without_distinct()
        with self._database.read() as connection:
            return next(map(self._codec.run, list(connection.rows(found))), None)

    def _find_sessions(self, query: SessionQuery) -> list[Session]:
        columns = self._columns.of("s", SESSION_COLUMNS)
        sessions = self._filter_sessions(select(columns for s in self._models.SessionRow).without_distinct(), query)
        found = self._listed("s", sessions, query)
        with self._database.read() as connection:
            return [self._codec.session(row) for row in connection.rows(found, limit=query.limit, offset=query.offset)]

    def _find_runs(self, query: RunQuery) -> list[Run]:
        columns = self._columns.of("r", RUN_COLUMNS)
        runs = self._filter_runs(select(columns for r in self._models.RunRow).without_distinct(), query)
        found = self._listed("r", runs, query)
        with self._database.read() as connection:
            return [self._codec.run(row) for row in connection.rows(found, limit=query.limit)]

    def _find_events(self, query: EventQuery) -> list[Event]:
        columns = self._columns.of("e", EVENT_COLUMNS)
        events = self._filter_events(select(columns for e in self._models.EventRow).without_distinct(), query)
        found = self._listed("e", events, query)
        with self._database.read() as connection:
            return [self._codec.event(row) for row in connection.rows(found, limit=query.limit)]

    def _latest_sequences(self, session_ids: Collection[str]) -> dict[str, int]:
        sessions = self._any_of(select(s.id for s in self._models.SessionRow), "s.id", session_ids)
        counters = select((q.session_id, q.last_sequence) for q in self._models.SequenceRow)
        counters = self._any_of(counters, "q.session_id", session_ids)
        with self._database.read() as connection:
            known = connection.values(sessions)
            # Read later than the sessions, so that what is told is never older than they are.
            latest = dict(connection.rows(counters))
        return {session_id: latest.get(session_id, 0) for session_id in known}

    def _count(self, counted: Query) -> int:
        with self._database.read() as connection:
            return int(connection.values(counted)[0])

    # -- what passes -------------------------------------------------------------------------------------------------

    def _filter_sessions(self, found: Query, query: SessionQuery) -> Query:
        found = self._any_of(found, "s.id", query.ids)
        found = self._any_of(found, "s.agent_id", query.agent_ids)
        found = self._any_of(found, "s.status", query.statuses)
        found = self._compared(found, "s.created_at >", query.created_after)
        found = self._compared(found, "s.created_at <", query.created_before)
        for tag in query.tags:
            found = found.where(self._columns.tagged(tag))
        if query.providers is not None:
            providers = self._columns.several(query.providers)
            runs = select(r.session_id for r in self._models.RunRow if r.provider in providers)
            found = found.where(lambda s: s.id in runs)
        return found if query.include_deleted else found.where(lambda s: s.deleted_at is None)

    def _filter_runs(self, found: Query, query: RunQuery) -> Query:
        found = self._any_of(found, "r.session_id", query.session_ids)
        found = self._any_of(found, "r.status", query.statuses)
        found = self._any_of(found, "r.provider", query.providers)
        found = self._compared(found, "r.started_at >", query.started_after)
        found = self._compared(found, "r.started_at <", query.started_before)
        return self._compared(found, "r.total_tokens >=", query.min_tokens)

    def _filter_events(self, found: Query, query: EventQuery) -> Query:
        found = self._any_of(found, "e.id", query.ids)
        found = self._any_of(found, "e.session_id", query.session_ids)
        found = self._any_of(found, "e.run_id", query.run_ids)
        found = self._any_of(found, "e.type", query.types)
        found = self._any_of(found, "e.provider", query.providers)
        found = self._any_of(found, "e.correlation_id", query.correlation_ids)
        found = self._compared(found, "e.timestamp >=", query.since)
        found = self._compared(found, "e.timestamp <", query.until)
        found = self._compared(found, "e.sequence_number >", query.after)
        return self._compared(found, "e.sequence_number <", query.before)

    def _any_of(self, found: Query, column: str, values: Collection[str] | None) -> Query:
        """Let pass those with one of `values` in a column; None is no filter."""
        return found if values is None else found.where(self._columns.any_of(column, values))

    def _compared(self, found: Query, condition: str, value: object) -> Query:
        """Let pass those for which a condition on one value is true; None is no filter."""
        if value is None:
            return found
        encoded = self._codec.encode(value)  # noqa: F841  Pony finds it by its name, here and below
        return found.where(raw_sql(f"{condition} $encoded"))

    def _listed(self, alias: str, found: Query, query: SessionQuery | RunQuery | EventQuery) -> Query:
        order = query.order
        return self._ordered(alias, found, order.key, query.start, descending=order.descending)

    def _ordered(
        self, alias: str, found: Query, key: Sequence[str], start: Sequence[Any] | None, *, descending: bool = False
    ) -> Query:
        """Put what is found in the order of a key, from behind `start` on."""
        columns = [f"{alias}.{name}" for name in key]
        if start is not None:
            behind = [self._codec.encode(value) for value in start]
            marks = ", ".join(f"$(behind[{place}])" for place in range(len(behind)))
            found = found.where(raw_sql(f"({', '.join(columns)}) {'<' if descending else '>'} ({marks})"))
        return found.order_by(raw_sql(", ".join(f"{column} DESC" if descending else column for column in columns)))
