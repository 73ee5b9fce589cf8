"""Totals of runs and events.

A sum may exceed 64 bits, where SQLite's SUM fails: high and low halves are summed separately, and core joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.models import TOKEN_COUNTS
from asm_core.querying.accounting.groups import GROUPS
from asm_core.sql.queries.reads import events_passing, runs_passing
from asm_core.sql.queries.where import Statement, Where
from asm_core.sql.rows.summing import HALF

if TYPE_CHECKING:
    from asm_core.querying.queries import EventQuery, RunQuery, UsageQuery
    from asm_core.sql.queries.words import Words

_LOW: Final = (1 << HALF) - 1


def halves(*columns: str) -> str:
    """Return the sums of the high and the low half of each of these columns."""
    return ", ".join(f"sum({column} >> {HALF}), sum({column} & {_LOW})" for column in columns)


_TOKENS: Final = tuple(f"r.{name}" for name in TOKEN_COUNTS)
_USAGE: Final = f"count(*), {', '.join(f'sum({column})' for column in _TOKENS)}"
_EXACT_USAGE: Final = f"count(*), {halves(*_TOKENS)}"
_UNPRICED: Final = "CASE WHEN r.cost_nanos IS NULL THEN {} END"
_COSTS: Final = (
    "count(*), count(*) - count(r.cost_nanos), "
    "count(CASE WHEN r.cost_nanos IS NULL AND r.total_tokens = 0 THEN 1 END), "
    f"{halves('r.cost_nanos', *(f'({_UNPRICED.format(column)})' for column in _TOKENS))}"
)
_RUN_TOTALS: Final = f"count(*), count(*) - count(r.cost_nanos), {halves('r.cost_nanos', *_TOKENS)}"
_OF_SESSION: Final = frozenset({"agent_id", "user_id"})
_GROUPS: Final = {name: f"{'s' if name in _OF_SESSION else 'r'}.{name}" for name in GROUPS}


class TotalQueries:
    """The statements for totals, in one dialect."""

    def __init__(self, words: Words) -> None:
        """Use the syntax of `words`."""
        self._words = words

    def usage(self, query: UsageQuery) -> Statement:
        """Select rows for `usage_row` of the runs that match a query, with plain sums."""
        return self._by_group(query, _USAGE)

    def exact_usage(self, query: UsageQuery) -> Statement:
        """Select the same with sums of halves."""
        return self._by_group(query, _EXACT_USAGE)

    def costs(self, query: UsageQuery) -> Statement:
        """Select rows for `cost_totals` of the runs that match a query."""
        return self._by_group(query, _COSTS)

    def runs(self, query: RunQuery) -> Statement:
        """Select rows for `run_totals` of the runs that match a query, by session and status."""
        where = runs_passing(query, self._words)
        return where.statement(
            f"SELECT r.session_id, r.status, {_RUN_TOTALS} FROM {self._words.runs} r {where} "
            "GROUP BY r.session_id, r.status"
        )

    def events(self, query: EventQuery) -> Statement:
        """Select rows for `event_totals` of the events that match a query, by session."""
        utc = self._words.utc
        where = events_passing(query, self._words)
        return where.statement(
            f"SELECT e.session_id, count(*), min(e.timestamp){utc}, max(e.timestamp){utc} "
            f"FROM {self._words.events} e {where} GROUP BY e.session_id"
        )

    def _by_group(self, query: UsageQuery, totals: str) -> Statement:
        words = self._words
        where = Where(words)
        where.one_of("r.session_id", query.session_ids)
        where.one_of("r.provider", query.providers)
        where.compare("r.started_at >=", query.since)
        where.compare("r.started_at <", query.until)
        where.add(words.readable.format(column="r.session_id"))
        sessions = Where(words)
        sessions.one_of("s.agent_id", query.agent_ids)
        sessions.one_of("s.user_id", query.user_ids)
        sessions.tagged("s.tags", query.tags)
        if sessions.conditions:
            where.add(f"r.session_id IN (SELECT s.id FROM {words.sessions} s {sessions})", *sessions.parameters)
        key = [_GROUPS[name] for name in query.group_by]
        if query.bucket is not None:
            key.append(words.bucket.format(column="r.started_at", seconds=query.bucket))
        # Without a key, a constant: no group where there are no runs.
        group = f"{words.unindexed}{', '.join(key)}" if key else "r.id IS NULL"
        join = f"JOIN {words.sessions} s ON s.id = r.session_id" if _OF_SESSION & set(query.group_by) else ""
        return where.statement(
            f"SELECT {', '.join([*key, totals])} FROM {words.runs} r {join} {where} GROUP BY {group}"
        )
