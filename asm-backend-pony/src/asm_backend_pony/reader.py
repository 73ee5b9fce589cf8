"""Reading sessions, runs and events: neutral queries as Pony's, rows to models through core's codec.

Each query calls its entity by one letter: `s` sessions, `r` runs, `e` events, `q` the counters, `a` artifacts.

Pony tells parameters apart by their name, the code in which they stand, and the place of that filter among others. So
`_passing` and `_any_of` must not filter a query inside another one that they filter too: Pony would mix them up.
"""

from __future__ import annotations

from operator import ge, gt, lt
from typing import TYPE_CHECKING, Any, Final

from pony.orm import exists, raw_sql, select

from asm_backend_pony.hints import unindexed
from asm_core.ports import Reader
from asm_core.sql.filters import bounds, choices
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_backend_pony.database import Database
    from asm_core import Event, Run, Session
    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

    _Query = SessionQuery | RunQuery | EventQuery | UsageQuery

_SIGNS: Final = {ge: ">=", gt: ">", lt: "<"}


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
        columns, sessions = self._columns.of("s", SESSION_COLUMNS), self._sessions(query)
        found = self._listed("s", select(columns for s in sessions).without_distinct(), query)
        with self._database.read() as connection:
            return [self._codec.session(row) for row in connection.rows(found, limit=query.limit, offset=query.offset)]

    def _find_runs(self, query: RunQuery) -> list[Run]:
        columns, runs = self._columns.of("r", RUN_COLUMNS), self._models.RunRow
        # Those of one session are few; without it, the order or the other filters have an index.
        aside = () if query.session_ids is None else ("status", "provider")
        passing = self._passing("r", select(columns for r in runs).without_distinct(), query, aside=aside)
        found = self._listed("r", passing, query)
        with self._database.read() as connection:
            return [self._codec.run(row) for row in connection.rows(found, limit=query.limit)]

    def _find_events(self, query: EventQuery) -> list[Event]:
        columns, events = self._columns.of("e", EVENT_COLUMNS), self._models.EventRow
        found = self._listed("e", self._passing("e", select(columns for e in events).without_distinct(), query), query)
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

    def _sessions(self, query: SessionQuery) -> Query:
        """Return the sessions that pass a query, `s`, in no order."""
        sessions, runs = self._models.SessionRow, self._models.RunRow
        if query.providers is None:
            found = select(s for s in sessions)
        else:
            provider = unindexed("r.provider", self._database.dialect)
            provided = self._columns.any_of(provider, query.providers)
            found = select(s for s in sessions if exists(r for r in runs if r.session_id == s.id and provided))
        found = self._passing("s", found, query)
        if query.tags:
            found = found.where(self._columns.tagged(query.tags))
        return found if query.include_deleted else found.where(lambda s: s.deleted_at is None)

    def _passing(self, alias: str, found: Query, query: _Query, *, aside: Collection[str] = ()) -> Query:
        """Let pass what passes those filters of a query that compare a column; no index of those `aside` is used."""
        for name, values in choices(query):
            column = f"{alias}.{name}"
            found = self._any_of(found, unindexed(column, self._database.dialect) if name in aside else column, values)
        for name, compare, value in bounds(query):
            bound = self._codec.encode(value)  # noqa: F841  Pony finds it by its name
            found = found.where(raw_sql(f"{alias}.{name} {_SIGNS[compare]} $bound"))
        return found

    def _any_of(self, found: Query, column: str, values: Collection[str]) -> Query:
        """Let pass those with one of `values` in a column."""
        return found.where(self._columns.any_of(column, values))

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
