"""Sessions, runs and events, the heads of logs, and counts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from asm_core.querying.queries import EVENT_ORDERS, EventQuery
from asm_core.sql.queries.where import Statement, Where, limit, order_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.querying.queries import RunQuery, SessionQuery
    from asm_core.sql.queries.words import Words

CONTENT_COLUMNS: Final = ("id", "type", "sequence_number", "data", "metadata")
"""The columns of `EventContent`, in the order of its fields."""


class ReadQueries:
    """The statements that find and count, in one dialect."""

    def __init__(self, words: Words) -> None:
        """Write statements with `words`."""
        self._words = words

    def sessions(self, query: SessionQuery) -> Statement:
        """Select the sessions that match a query, in its order, from its start on."""
        where = self._sessions_passing(query)
        where.after("s", query.order, query.after_key)
        return where.statement(
            f"SELECT {self._words.selected['s']} FROM {self._tables_of(query)} {where} "
            f"{order_by('s', query.order)} {limit(query.limit, query.offset)}"
        )

    def active_sessions(self, query: SessionQuery) -> Statement:
        """Select the sessions that match a query in an order by activity, each with the time of its last activity."""
        where = self._sessions_passing(query)
        where.after("c", query.order, query.after_key)
        return where.statement(
            f"SELECT {self._words.selected['s']}, {self._words.columns('c', ['active_at'])} "
            f"FROM {self._tables_of(query)} {where} {order_by('c', query.order)} {limit(query.limit, query.offset)}"
        )

    def session_count(self, query: SessionQuery) -> Statement:
        """Select the number of sessions that match the filters of a query."""
        where = self._sessions_passing(query)
        return where.statement(f"SELECT count(*) FROM {self._tables_of(query)} {where}")

    def runs(self, query: RunQuery) -> Statement:
        """Select the runs that match a query, in its order, from its start on."""
        where = runs_passing(query, self._words)
        where.after("r", query.order, query.after_key)
        return where.statement(
            f"SELECT {self._words.selected['r']} FROM {self._words.runs} r {where} "
            f"{order_by('r', query.order)} {limit(query.limit)}"
        )

    def events(self, query: EventQuery, candidates: Statement | None = None, columns: str | None = None) -> Statement:
        """Select the events that match a query, in its order, from its start on; of `candidates`, a table ``e``.

        `columns` are those to select, by default all.
        """
        words, order = self._words, order_by("e", query.order)
        columns = columns or words.selected["e"]
        if candidates is not None:
            where = events_passing(query, words)
            where.after("e", query.order, query.after_key)
            sql = f"SELECT {columns} FROM {candidates.sql} {where} {order} {limit(query.limit)}"
            return Statement(sql, [*candidates.parameters, *where.parameters])
        if words.in_order and _is_filtered_log(query):
            log, rest = _log(query, words), _events_passing_filters(query, words)
            # Of one session: outside the subquery the server does not recognise the constant, and would sort.
            order = f"ORDER BY e.sequence_number{' DESC' if query.order.descending else ''}"
            source = f"(SELECT e.* FROM {words.events} e {log} {order} {words.in_order}) e {rest}"
            sql = f"SELECT {columns} FROM {source} {order} {limit(query.limit)}"
            return Statement(sql, [*log.parameters, *rest.parameters])
        where = events_passing(query, words)
        where.after("e", query.order, query.after_key)
        return where.statement(f"SELECT {columns} FROM {words.events} e {where} {order} {self._page(query)}")

    def contents(self, query: EventQuery) -> Statement:
        """Select the contents of the events that match a query, in its order, from its start on."""
        return self.events(query, columns=self._contents)

    def latest(self, session_id: str, event_type: str) -> Statement:
        """Select the content of the last event of a type, after 0, and those that correlate with it, after 1."""
        return Statement(self._latest, (session_id, event_type, session_id))

    @cached_property
    def _contents(self) -> str:
        return self._words.columns("e", CONTENT_COLUMNS)

    @cached_property
    def _latest(self) -> str:
        # The values are parameters, so the text is the same for all.
        last = self.contents(
            EventQuery(session_ids=("",), types=("",), order=EVENT_ORDERS["sequence_desc"], limit=1)
        ).sql
        where = Where(self._words)
        where.add("e.correlation_id = l.id")
        where.add(f"{self._words.unindexed}e.session_id = {self._words.mark}")
        # Twice in the statement, so that each database computes it once.
        return (
            f"WITH last AS ({last}) SELECT 0, {', '.join(f'l.{name}' for name in CONTENT_COLUMNS)} FROM last l "
            f"UNION ALL SELECT 1, {self._contents} FROM last l {self._words.by_index} {self._words.events} e "
            f"ON {where.conditions}"
        )

    def event_count(self, query: EventQuery) -> Statement:
        """Select the number of events that match the filters of a query."""
        where = events_passing(query, self._words)
        return where.statement(f"SELECT count(*) FROM {self._words.events} e {where}")

    def heads(self, session_ids: Sequence[str]) -> Statement:
        """Select the id of each of these sessions, and the fields of its head."""
        where = Where(self._words)
        where.one_of("s.id", session_ids)
        where.add("s.removing_at IS NULL")
        return where.statement(
            "SELECT s.id, coalesce(c.last_sequence, 0), c.log_id, c.updated_at "
            f"FROM {self._words.sessions} s LEFT JOIN {self._words.counters} c ON c.session_id = s.id {where}"
        )

    def _sessions_passing(self, query: SessionQuery) -> Where:
        words = self._words
        where = Where(words)
        where.one_of("s.id", query.ids)
        where.one_of("s.agent_id", query.agent_ids)
        where.one_of("c.user_id" if query.needs_activity else "s.user_id", query.user_ids)
        where.one_of("s.parent_session_id", query.parent_ids)
        where.one_of("s.status", query.statuses)
        where.compare("s.created_at >", query.created_after)
        where.compare("s.created_at <", query.created_before)
        where.compare("c.active_at >", query.active_after)
        where.compare("c.active_at <", query.active_before)
        if query.title is not None:
            where.add(words.contains.format(column="s.title_folded"), query.title)
        where.tagged("s.tags", query.tags)
        if query.providers is not None:
            provided, providers = where.chosen(f"{words.unindexed}r.provider", query.providers)
            where.add(f"EXISTS (SELECT 1 FROM {words.runs} r WHERE r.session_id = s.id AND {provided})", providers)
        where.add("s.removing_at IS NULL")
        if not query.include_deleted:
            where.add("s.deleted_at IS NULL")
        return where

    def _tables_of(self, query: SessionQuery) -> str:
        words = self._words
        if not query.needs_activity:
            return f"{words.sessions} s"
        others = (
            query.ids,
            query.agent_ids,
            query.statuses,
            query.parent_ids,
            query.created_after,
            query.created_before,
        )
        join = words.by_index if all(one is None for one in others) else "JOIN"
        return f"{words.counters} c {join} {words.sessions} s ON s.id = c.session_id"

    def _page(self, query: EventQuery) -> str:
        is_log = query.session_ids is not None and len(query.session_ids) == 1 and query.correlation_ids is None
        if query.limit is None or not is_log:
            return limit(query.limit)
        return self._words.at_most.format(query.limit)


def runs_passing(query: RunQuery, words: Words) -> Where:
    """Return the conditions that runs must meet."""
    # A session has few runs; without a session, the order or the other filters have an index.
    aside = "" if query.session_ids is None else words.unindexed
    where = Where(words)
    where.one_of("r.id", query.ids)
    where.one_of("r.session_id", query.session_ids)
    where.one_of(f"{aside}r.status", query.statuses)
    where.one_of(f"{aside}r.provider", query.providers)
    where.compare("r.started_at >", query.started_after)
    where.compare("r.started_at <", query.started_before)
    where.compare("r.total_tokens >=", query.min_tokens)
    where.add(words.readable.format(column="r.session_id"))
    return where


def events_passing(query: EventQuery, words: Words) -> Where:
    """Return the conditions that events must meet."""
    where = Where(words)
    # Few events share a correlation id; without statistics, SQLite would read the whole log of the session.
    where.one_of(f"{'' if query.correlation_ids is None else words.unindexed}e.session_id", query.session_ids)
    where.compare("e.sequence_number >", query.after)
    where.compare("e.sequence_number <", query.before)
    _add_filters(where, query, words)
    return where


def _is_filtered_log(query: EventQuery) -> bool:
    """Return whether a query asks for a page of one session's log, with filters that have no better index."""
    if query.limit is None or query.order.key != ("session_id", "sequence_number") or len(query.session_ids or ()) != 1:
        return False
    if query.run_ids is not None and query.after is None and query.after_key is None:
        return False  # all of a run: its index is better where the session has many
    if query.ids is not None or query.correlation_ids is not None:
        return False  # their indexes are better
    filters = (query.run_ids, query.types, query.providers, query.since, query.until)
    return any(one is not None for one in filters) or query.text is not None or query.asks_sessions


def _log(query: EventQuery, words: Words) -> Where:
    where = Where(words)
    where.one_of("e.session_id", query.session_ids)
    where.compare("e.sequence_number >", query.after)
    where.compare("e.sequence_number <", query.before)
    where.after("e", query.order, query.after_key)
    return where


def _events_passing_filters(query: EventQuery, words: Words) -> Where:
    where = Where(words)
    _add_filters(where, query, words)
    return where


def _add_filters(where: Where, query: EventQuery, words: Words) -> None:
    where.one_of("e.id", query.ids)
    where.one_of("e.run_id", query.run_ids)
    where.one_of("e.type", query.types)
    where.one_of("e.provider", query.providers)
    where.one_of("e.correlation_id", query.correlation_ids)
    where.compare("e.timestamp >=", query.since)
    where.compare("e.timestamp <", query.until)
    where.add(words.readable.format(column="e.session_id"))
    if query.text is not None:
        where.worded("e.data", query.text.words)
    if query.asks_sessions:
        allowed = Where(words)
        allowed.add("s.id = e.session_id")
        allowed.one_of("s.agent_id", query.agent_ids)
        allowed.one_of("s.user_id", query.user_ids)
        if query.live_only:
            allowed.add("s.deleted_at IS NULL")
        where.add(f"EXISTS (SELECT 1 FROM {words.sessions} s {allowed})", *allowed.parameters)
