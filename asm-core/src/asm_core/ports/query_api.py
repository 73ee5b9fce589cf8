"""The port for searches, totals and exports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import SessionNotFoundError
from asm_core.models.base import MAX_INTEGER, check_natural
from asm_core.models.statuses import check_event_type, check_run_status, check_session_status
from asm_core.querying.accounting.groups import Grouping, check_group_by
from asm_core.querying.accounting.periods import PERIODS, Periods, check_time_zone
from asm_core.querying.accounting.prices import prices_of
from asm_core.querying.accounting.summaries import SessionExport, SessionStats
from asm_core.querying.accounting.usage import CostSummary, UsageSummary
from asm_core.querying.cursors import decode_cursor
from asm_core.querying.heads import GONE
from asm_core.querying.pages import Page, cut_page
from asm_core.querying.queries import (
    BY_ACTIVITY,
    BY_NUMBER,
    EVENT_ORDERS,
    RUN_ORDERS,
    SESSION_ORDERS,
    EventQuery,
    Order,
    RunQuery,
    SessionQuery,
    UsageQuery,
    allows_nothing,
    check_choice,
    check_limit,
    check_order,
    without_needless_bound,
)
from asm_core.querying.text_search import TextSearch
from asm_core.values.ids import check_name
from asm_core.values.times import check_optional_time, utc_now

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from asm_core.models import Artifact, EventType, Run, RunStatus, Session, SessionStatus, StoredEvent
    from asm_core.querying.accounting.prices import Prices, PricingTable
    from asm_core.querying.accounting.summaries import CostTotals, EventTotals, RunTotals, UsageTotals
    from asm_core.querying.reader import Reader

_MICROSECOND: Final = timedelta(microseconds=1)
_MOST_CANDIDATES: Final = 500
"""Events that a search for a text reads at once."""


class QueryAPI(ABC):
    """Paged searches across sessions, totals, and exports.

    A filter of None matches everything. A filter that takes a single value also takes an iterable: any of its values
    matches, and an empty iterable matches nothing. Unknown ids match nothing. A `cursor` is valid for its listing and
    order only (`InvalidCursorError`); pass it with the same filters. All arguments are checked first
    (`ValidationError`). Any method may raise `StorageError`.

    Attributes:
        reader: answers query objects.
    """

    def __init__(self, reader: Reader) -> None:
        """Read with `reader`."""
        self.reader = reader

    def search_sessions(
        self,
        *,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        status: SessionStatus | str | Iterable[SessionStatus | str] | None = None,
        provider: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        parent_session_id: str | Iterable[str] | None = None,
        title: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        active_after: datetime | None = None,
        active_before: datetime | None = None,
        include_deleted: bool = False,
        order_by: str = "active_at_desc",
        limit: int = 50,
        cursor: str | None = None,
        count: bool = False,
    ) -> Page[Session]:
        """Return a page of sessions.

        A session is active at the latest of its creation and of the timestamps of its events, pruned ones included, in
        whole seconds. A session that changes between two pages is never on both. In the orders by creation no session
        is lost; in the other orders, a changed session that was not read yet may move to a page that was read.

        Args:
            agent_id: only sessions of this agent.
            user_id: only sessions of this user.
            status: only sessions in this status.
            provider: only sessions with a run of this provider.
            tags: only sessions with all of these tags.
            parent_session_id: only forks of this session.
            title: only sessions whose title contains this text, in any case; the search reads all titles.
            created_after: only sessions created after this time.
            created_before: only sessions created before this time.
            active_after: only sessions active after this time.
            active_before: only sessions active before this time.
            include_deleted: include soft-deleted sessions.
            order_by: ``active_at_desc``, ``created_at_asc``, ``created_at_desc`` or ``updated_at_desc``; ties are
                ordered by id, in the same direction.
            limit: the size of the page.
            cursor: the cursor of the previous page.
            count: also count the sessions on all pages, as `total_count`; the cost grows with their number.
        """
        order = check_order(SESSION_ORDERS, order_by)
        query = SessionQuery(
            agent_ids=check_choice("agent_id", agent_id, check_name),
            user_ids=check_choice("user_id", user_id, check_name),
            parent_ids=check_choice("parent_session_id", parent_session_id, check_name),
            title=None if title is None else check_name("title", title).casefold(),
            statuses=check_choice("status", status, lambda _, value: check_session_status(value)),
            providers=check_choice("provider", provider, check_name),
            tags=check_choice("tags", tags, check_name) or (),
            created_after=check_optional_time("created_after", created_after),
            created_before=check_optional_time("created_before", created_before),
            active_after=check_optional_time("active_after", active_after),
            active_before=check_optional_time("active_before", active_before),
            include_deleted=bool(include_deleted),
            order=order,
        )
        size, query = _paged("sessions", query, order, limit, cursor)
        if allows_nothing(query):
            return Page(items=[], total_count=0 if count else None)
        page: Page[Session] = self._page_of_sessions(without_needless_bound(query), size)
        if not count:
            return page
        # The first page is also the last one: its items are all there are.
        total = len(page) if page.cursor is None and cursor is None else self._count_sessions(query)
        return msgspec.structs.replace(page, total_count=total)

    def search_runs(
        self,
        *,
        session_id: str | Iterable[str] | None = None,
        provider: str | Iterable[str] | None = None,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        min_tokens: int | None = None,
        order_by: str = "started_at_desc",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Run]:
        """Return a page of runs.

        Args:
            session_id: only runs of this session.
            provider: only runs of this provider.
            status: only runs in this status.
            started_after: only runs started after this time.
            started_before: only runs started before this time.
            min_tokens: only runs with at least this many tokens in total.
            order_by: ``started_at_asc``, ``started_at_desc`` or ``token_usage_desc`` (by the total); ties are ordered
                by id.
            limit: the size of the page.
            cursor: the cursor of the previous page.
        """
        order = check_order(RUN_ORDERS, order_by)
        query = RunQuery(
            session_ids=check_choice("session_id", session_id, check_name),
            providers=check_choice("provider", provider, check_name),
            statuses=check_choice("status", status, lambda _, value: check_run_status(value)),
            started_after=check_optional_time("started_after", started_after),
            started_before=check_optional_time("started_before", started_before),
            min_tokens=None if min_tokens is None else check_natural("min_tokens", min_tokens),
            order=order,
        )
        size, query = _paged("runs", query, order, limit, cursor)
        return cut_page(
            "runs", order, [] if allows_nothing(query) else self.reader.find_runs(without_needless_bound(query)), size
        )

    def search_events(
        self,
        *,
        session_ids: str | Iterable[str] | None = None,
        run_ids: str | Iterable[str] | None = None,
        types: EventType | str | Iterable[EventType | str] | None = None,
        providers: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        correlation_id: str | Iterable[str] | None = None,
        order_by: str = "sequence_asc",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[StoredEvent]:
        """Return a page of events.

        Args:
            session_ids: only events of these sessions.
            run_ids: only events of these runs.
            types: only events of these types.
            providers: only events of these providers.
            since: only events with this timestamp or a later one.
            until: only events with an earlier timestamp.
            correlation_id: only events with this correlation id.
            order_by: ``sequence_asc`` or ``sequence_desc`` (by session id, then number), ``timestamp_asc`` or
                ``timestamp_desc`` (ties are ordered by session id and number, in the same direction).
            limit: the size of the page.
            cursor: the cursor of the previous page.
        """
        order = check_order(EVENT_ORDERS, order_by)
        query = _event_query(session_ids, run_ids, types, providers, since, until, correlation_id)
        size, query = _paged("events", query, order, limit, cursor)
        return cut_page("events", order, [] if allows_nothing(query) else self._page_of_events(query), size)

    def search_text(
        self,
        text: str,
        *,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        session_ids: str | Iterable[str] | None = None,
        types: EventType | str | Iterable[EventType | str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        include_deleted: bool = False,
        order_by: str = "timestamp_desc",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[StoredEvent]:
        """Return a page of the events whose data contains all words of a text.

        A word is a run of letters and digits, and matches in any case (`str.casefold`). Other characters, also ``_``,
        and escape sequences of terminals separate words. Each word must occur as a whole word in a string of the
        event's data, at any depth. Keys, numbers and metadata are not searched, and neither are values that are stored
        as artifacts. Words that the text joins by double quotes, or by anything but space, must follow each other in
        one string. After ``*`` at the end of such a term, its last word may be longer: ``time*``, ``"no rout*"``. Each
        event is searched by itself: a word that streaming cut in two is found in the message that follows, not in its
        pieces.

        Without a text index (`Backend.migrate`), the search reads all events that match the other filters, until the
        page is full.

        Args:
            text: the words; at least one.
            agent_id: only events in sessions of this agent.
            user_id: only events in sessions of this user.
            session_ids: only events of these sessions.
            types: only events of these types.
            since: only events with this timestamp or a later one.
            until: only events with an earlier timestamp.
            include_deleted: include the events of soft-deleted sessions.
            order_by: an order of `search_events`.
            limit: the size of the page.
            cursor: the cursor of the previous page.
        """
        order = check_order(EVENT_ORDERS, order_by)
        query = msgspec.structs.replace(
            _event_query(session_ids, None, types, None, since, until, None),
            text=TextSearch.of(text),
            agent_ids=check_choice("agent_id", agent_id, check_name),
            user_ids=check_choice("user_id", user_id, check_name),
            live_only=not include_deleted,
        )
        size, query = _paged("texts", query, order, limit, cursor)
        return cut_page("texts", order, [] if allows_nothing(query) else self._events_with_text(query), size)

    def count_events(
        self,
        *,
        session_ids: str | Iterable[str] | None = None,
        run_ids: str | Iterable[str] | None = None,
        types: EventType | str | Iterable[EventType | str] | None = None,
        providers: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        correlation_id: str | Iterable[str] | None = None,
    ) -> int:
        """Return the number of events that match the filters of `search_events`."""
        query = _event_query(session_ids, run_ids, types, providers, since, until, correlation_id)
        return 0 if allows_nothing(query) else self._count_events(query)

    def get_session_stats(self, session_id: str) -> SessionStats:
        """Return the statistics of a session: events, runs by status, tokens and costs.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        return self.list_session_stats([session_id])[0]

    def list_session_stats(self, session_ids: Iterable[str]) -> list[SessionStats]:
        """Return the statistics of several sessions, in the order given, with a fixed number of queries.

        Raises:
            SessionNotFoundError: one of them does not exist.
        """
        ids = check_choice("session_ids", session_ids, check_name) or ()
        known = self.reader.load_heads(ids) if ids else {}
        for session_id in ids:
            if session_id not in known:
                raise SessionNotFoundError(session_id)
        events = {total.session_id: total for total in self._total_events(ids)} if ids else {}
        runs: dict[str, list[RunTotals]] = {}
        for total in self._total_runs(ids) if ids else ():
            runs.setdefault(total.session_id, []).append(total)
        return [SessionStats.of(session_id, events.get(session_id), runs.get(session_id, ())) for session_id in ids]

    def get_usage_summary(
        self,
        *,
        group_by: str | Iterable[str] = ("provider", "model"),
        time_zone: str = "UTC",
        session_id: str | Iterable[str] | None = None,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        provider: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> UsageSummary:
        """Return the tokens that runs used, in total and by group.

        Counts runs that started at `since` or later and before `until`. Runs of soft-deleted sessions count too.

        Args:
            group_by: any of ``provider``, ``model``, ``agent_id``, ``user_id``, ``session_id``, ``hour``, ``day`` and
                ``month``.
            time_zone: the IANA time zone of hours, days and months, such as ``Europe/Berlin``.
            session_id: only runs of this session.
            agent_id: only runs in sessions of this agent.
            user_id: only runs in sessions of this user.
            tags: only runs in sessions with all of these tags.
            provider: only runs of this provider.
            since: only runs started at this time or later.
            until: only runs started before this time.
        """
        query = _usage_query(session_id, agent_id, user_id, tags, provider, since, until)
        query, grouping = self._grouped(query, group_by, time_zone, priced=False)
        return UsageSummary.of([] if allows_nothing(query) else self._total_usage(query), grouping)

    def get_cost_summary(
        self,
        *,
        group_by: str | Iterable[str] = ("provider", "model"),
        time_zone: str = "UTC",
        session_id: str | Iterable[str] | None = None,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        provider: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        pricing_table: PricingTable | Prices | None = None,
    ) -> CostSummary:
        """Return the costs of runs, in total and by group, for the same runs and groups as `get_usage_summary`.

        Args:
            group_by: the groups.
            time_zone: the time zone of hours, days and months.
            session_id: only runs of this session.
            agent_id: only runs in sessions of this agent.
            user_id: only runs in sessions of this user.
            tags: only runs in sessions with all of these tags.
            provider: only runs of this provider.
            since: only runs started at this time or later.
            until: only runs started before this time.
            pricing_table: prices for runs without a recorded cost, as ``{provider: {model: TokenPrice}}``, or `Prices`.
        """
        prices = prices_of(pricing_table)
        query = _usage_query(session_id, agent_id, user_id, tags, provider, since, until)
        query, grouping = self._grouped(query, group_by, time_zone, priced=True)
        return CostSummary.of([] if allows_nothing(query) else self._total_costs(query), grouping, prices)

    def export_session(self, session_id: str, *, include_artifacts: bool = False) -> SessionExport:
        """Return a session with its runs, events and artifacts; for large sessions, `asm_core.transfer` writes a file.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        session_id = check_name("session_id", session_id)
        # Events are read first: the runs that they name were saved before, so the later query finds them.
        last_sequence = self.reader.load_heads([session_id]).get(session_id, GONE).last_sequence
        events = self.reader.find_events(EventQuery(session_ids=(session_id,), before=last_sequence + 1))
        runs = self.reader.find_runs(RunQuery(session_ids=(session_id,)))
        artifacts = self._find_artifacts(session_id) if include_artifacts else []
        session = self.reader.load_session(session_id)
        if session is None:
            raise SessionNotFoundError(session_id)
        return SessionExport(
            session=session, runs=runs, events=events, artifacts=artifacts, last_sequence=last_sequence
        )

    def _page_of_sessions(self, query: SessionQuery, size: int) -> Page[Session]:
        if query.order.key != BY_ACTIVITY:
            return cut_page("sessions", query.order, self.reader.find_sessions(query), size)
        page = cut_page("sessions", query.order, self.reader.find_active(query), size)
        return Page(items=[item.session for item in page], cursor=page.cursor)

    def _grouped(
        self, query: UsageQuery, group_by: object, time_zone: object, *, priced: bool
    ) -> tuple[UsageQuery, Grouping]:
        names, zone = check_group_by(group_by), check_time_zone(time_zone)
        periods = None
        if not set(PERIODS).isdisjoint(names) and not allows_nothing(query):
            earliest, latest = self._starts(query, "started_at_asc"), self._starts(query, "started_at_desc")
            periods = Periods(zone, names, earliest, latest)
        grouping = Grouping.of(names, periods, priced=priced)
        bucket = None if periods is None else periods.bucket
        return msgspec.structs.replace(query, group_by=grouping.columns, bucket=bucket), grouping

    def _starts(self, query: UsageQuery, order: str) -> datetime:
        """Return the earliest or latest start of the runs that may match."""
        runs = self.reader.find_runs(
            RunQuery(
                session_ids=query.session_ids,
                providers=query.providers,
                started_after=None if query.since is None else query.since - _MICROSECOND,
                started_before=query.until,
                order=RUN_ORDERS[order],
                limit=1,
            )
        )
        return runs[0].started_at if runs else utc_now()

    def _page_of_events(self, query: EventQuery) -> list[StoredEvent]:
        ids, is_down = query.session_ids, query.order.descending
        if query.after_key is None or ids is None or query.order.key != BY_NUMBER:
            return self.reader.find_events(without_needless_bound(query))
        # The rest of the session in which the previous page ended, then the sessions after it. In one query, the
        # database would scan that session from its beginning.
        session_id, number = query.after_key
        query, size = msgspec.structs.replace(query, after_key=None), query.limit or MAX_INTEGER
        found = []
        if session_id in ids:
            bound = {"before" if is_down else "after": number}
            found = self.reader.find_events(msgspec.structs.replace(query, session_ids=(session_id,), **bound))
        rest = tuple(other for other in ids if (other < session_id if is_down else other > session_id))
        if rest and len(found) < size:
            query = msgspec.structs.replace(query, session_ids=rest, limit=size - len(found))
            found += self.reader.find_events(query)
        return found

    def _events_with_text(self, query: EventQuery) -> list[StoredEvent]:
        """Return the events that match, up to the limit. A store may find more events than match."""
        text, size = query.text, query.limit or MAX_INTEGER
        found: list[StoredEvent] = []
        query = msgspec.structs.replace(query, limit=min(size, _MOST_CANDIDATES))
        while True:
            candidates = self._page_of_events(query)
            found += [event for event in candidates if text is None or text.matches(event.data)]
            if len(found) >= size or len(candidates) < (query.limit or 0):
                return found[:size]
            query = msgspec.structs.replace(query, after_key=query.order.key_of(candidates[-1]), limit=_MOST_CANDIDATES)

    # -- what an adapter writes ----------------------------------------------------------------------------------

    @abstractmethod
    def _count_sessions(self, query: SessionQuery) -> int:
        """Return the number of sessions that match the filters of `query`; ignore after_key, limit and offset."""

    @abstractmethod
    def _count_events(self, query: EventQuery) -> int:
        """Return the number of events that match the filters of `query`; ignore after_key and limit."""

    @abstractmethod
    def _total_usage(self, query: UsageQuery) -> list[UsageTotals]:
        """Sum the tokens of the runs that match `query`, by its groups, in any order; without runs, nothing."""

    @abstractmethod
    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        """Sum the costs of the runs that match `query`, by its groups, in any order; without runs, nothing."""

    @abstractmethod
    def _total_runs(self, session_ids: Collection[str]) -> list[RunTotals]:
        """Sum the runs of each of these sessions, by status, in any order; omit sessions without runs."""

    @abstractmethod
    def _total_events(self, session_ids: Collection[str]) -> list[EventTotals]:
        """Count the events of each of these sessions, in any order; omit sessions without events."""

    @abstractmethod
    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        """Return the live artifacts of a session by (created_at, id)."""


def _paged(resource: str, query: Any, order: Order, limit: int, cursor: str | None) -> tuple[int, Any]:
    size = check_limit(limit)
    after_key = None if cursor is None else decode_cursor(resource, order, cursor)
    # One item more than the page shows whether another page follows; the limit must still fit 64 bits.
    return size, msgspec.structs.replace(query, order=order, after_key=after_key, limit=min(size + 1, MAX_INTEGER))


def _event_query(  # noqa: PLR0917  the filters, in their order
    session_ids: str | Iterable[str] | None,
    run_ids: str | Iterable[str] | None,
    types: EventType | str | Iterable[EventType | str] | None,
    providers: str | Iterable[str] | None,
    since: datetime | None,
    until: datetime | None,
    correlation_id: str | Iterable[str] | None,
) -> EventQuery:
    return EventQuery(
        session_ids=check_choice("session_ids", session_ids, check_name),
        run_ids=check_choice("run_ids", run_ids, check_name),
        types=check_choice("types", types, lambda _, value: check_event_type(value)),
        providers=check_choice("providers", providers, check_name),
        since=check_optional_time("since", since),
        until=check_optional_time("until", until),
        correlation_ids=check_choice("correlation_id", correlation_id, check_name),
    )


def _usage_query(  # noqa: PLR0917  the filters, in their order
    session_id: str | Iterable[str] | None,
    agent_id: str | Iterable[str] | None,
    user_id: str | Iterable[str] | None,
    tags: str | Iterable[str] | None,
    provider: str | Iterable[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> UsageQuery:
    return UsageQuery(
        session_ids=check_choice("session_id", session_id, check_name),
        agent_ids=check_choice("agent_id", agent_id, check_name),
        user_ids=check_choice("user_id", user_id, check_name),
        tags=check_choice("tags", tags, check_name) or (),
        providers=check_choice("provider", provider, check_name),
        since=check_optional_time("since", since),
        until=check_optional_time("until", until),
    )
