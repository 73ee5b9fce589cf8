"""What a run, a session or a user has used."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from asm_core.models import EventType
from asm_core.recording.lifecycle.metering import priced
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.models import Run, Session
    from asm_core.ports import QueryAPI
    from asm_core.querying.accounting.prices import Prices

_PAGE: Final = 200


class Sums:
    """Reads what counts against a budget, the execution of `run` included."""

    def __init__(
        self, session: Session, metered: Callable[[], Run], prices: Prices, query_api: QueryAPI | None
    ) -> None:
        """Count for a run that begins now.

        Args:
            session: its session.
            metered: returns the run with what it has used.
            prices: the prices of its tokens.
            query_api: the sums of sessions and users.
        """
        self._session = session
        self._metered = metered
        self._prices = prices
        self._query_api = query_api
        self._began = time.monotonic()
        self.tool_calls = 0

    def used(self, field: str, scope: str) -> Any:
        """Return what was used of one limit; for ``cost_usd`` None if no cost is known."""
        if scope == "run" or self._query_api is None:
            return self._of_run(field)
        return self._of_scope(field, scope, self._query_api)

    def _of_run(self, field: str) -> Any:
        if field == "seconds":
            return time.monotonic() - self._began
        if field == "tool_calls":
            return self.tool_calls
        run = self._metered()
        return run.total_tokens if field == "tokens" else priced(run, self._prices).cost_usd

    def _of_scope(self, field: str, scope: str, query_api: QueryAPI) -> Any:
        if scope == "user" and self._session.user_id is None:
            return self._of_run(field)
        of = {"user_id": self._session.user_id} if scope == "user" else {"session_id": self._session.id}
        if field == "tokens":
            return query_api.get_usage_summary(group_by=(), **of).total_tokens
        if field == "cost_usd":
            return query_api.get_cost_summary(group_by=(), pricing_table=self._prices, **of).total_cost_usd
        if field == "tool_calls":
            kinds = EventType.TOOL_CALL_STARTED
            return sum(query_api.count_events(session_ids=ids, types=kinds) for ids in self._sessions(scope, query_api))
        return sum(_seconds(run) for ids in self._sessions(scope, query_api) for run in _runs(query_api, ids))

    def _sessions(self, scope: str, query_api: QueryAPI) -> Iterator[list[str]]:
        """Yield the ids of the sessions of a scope, in pages."""
        if scope == "session":
            yield [self._session.id]
            return
        cursor = None
        while True:
            page = query_api.search_sessions(
                user_id=self._session.user_id,
                include_deleted=True,
                order_by="created_at_asc",
                limit=_PAGE,
                cursor=cursor,
            )
            if page.items:
                yield [session.id for session in page.items]
            cursor = page.cursor
            if cursor is None:
                return


def _runs(query_api: QueryAPI, session_ids: list[str]) -> Iterator[Run]:
    cursor = None
    while True:
        page = query_api.search_runs(session_id=session_ids, order_by="started_at_asc", limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _seconds(run: Run) -> float:
    return max(0.0, ((run.ended_at or utc_now()) - run.started_at).total_seconds())
