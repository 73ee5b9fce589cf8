"""Reading sessions, runs and events: neutral queries as Pony's.

Each query calls its entity by one letter: `s` sessions, `r` runs, `e` events, `q` the counters, `a` artifacts.

Pony tells parameters apart by their name, the code in which they stand, and the place of that filter among others. So
`_passing` and `_any_of` must not filter a query inside another one that they filter too: Pony would mix them up.
"""

from __future__ import annotations

from operator import ge, gt, lt
from typing import TYPE_CHECKING, Any, Final

from pony.orm import exists, raw_sql, select

from asm_backend_pony.hints import unindexed
from asm_backend_pony.translating import selected
from asm_core.sql import SQLReader, Statement
from asm_core.sql.filters import bounds, choices
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_backend_pony.database import Database
    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

    _Query = SessionQuery | RunQuery | EventQuery | UsageQuery

_SIGNS: Final = {ge: ">=", gt: ">", lt: "<"}


class PonyReader(SQLReader["Database"]):
    """The primitives that three ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._columns = database.columns
        self._models = database.models
        super().__init__(database)

    def _select_sessions(self, query: SessionQuery) -> Statement:
        columns, sessions = self._columns.of("s", SESSION_COLUMNS), self._sessions(query)
        return selected(self._listed("s", select(columns for s in sessions).without_distinct(), query))

    def _select_runs(self, query: RunQuery) -> Statement:
        columns, runs = self._columns.of("r", RUN_COLUMNS), self._models.RunRow
        # Those of one session are few; without it, the order or the other filters have an index.
        aside = () if query.session_ids is None else ("status", "provider")
        passing = self._passing("r", select(columns for r in runs).without_distinct(), query, aside=aside)
        return selected(self._listed("r", passing, query))

    def _select_events(self, query: EventQuery) -> Statement:
        columns, events = self._columns.of("e", EVENT_COLUMNS), self._models.EventRow
        passing = self._passing("e", select(columns for e in events).without_distinct(), query)
        return selected(self._listed("e", passing, query))

    def _select_heads(self, query: SessionQuery) -> Statement:
        counter = "SELECT q.last_sequence FROM asm_session_sequences q WHERE q.session_id = s.id"
        head = raw_sql(f"coalesce(({counter}), 0)")
        heads = select((s.id, head) for s in self._models.SessionRow)
        return selected(self._passing("s", heads, query))

    # -- what passes -------------------------------------------------------------------------------------------------

    def _sessions(self, query: SessionQuery) -> Query:
        """Return the sessions that pass a query, `s`, in no order."""
        sessions, runs = self._models.SessionRow, self._models.RunRow
        if query.providers is None:
            found = select(s for s in sessions)
        else:
            provided = self._columns.chosen(unindexed("r.provider", self._database.dialect), query.providers[0])
            found = select(s for s in sessions if exists(r for r in runs if r.session_id == s.id and provided))
        found = self._passing("s", found, query)
        if query.tags:
            found = found.where(self._columns.tagged(*query.tags))
        return found if query.include_deleted else found.where(lambda s: s.deleted_at is None)

    def _passing(self, alias: str, found: Query, query: _Query, *, aside: Collection[str] = ()) -> Query:
        """Let pass what passes those filters of a query that compare a column; no index of those `aside` is used."""
        for name, choice in choices(query):
            column = f"{alias}.{name}"
            column = unindexed(column, self._database.dialect) if name in aside else column
            found = found.where(self._columns.chosen(column, choice))
        for name, compare, bound in bounds(query):  # noqa: B007  Pony finds `bound` by its name
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
