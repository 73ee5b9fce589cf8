"""The primitives that read sessions, runs and events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from asm_core.querying.contents import EventContent, Latest
from asm_core.querying.queries import EVENT_ORDERS, EventQuery

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core.models import Run, Session, StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import ActiveSession, RunQuery, SessionQuery


class Reader(ABC):
    """Answers query objects for `SessionStore`, `QueryAPI` and `Maintenance`. An adapter writes it once.

    Queries are already checked. Results are in exactly the query's order, with at most `query.limit` items.
    `query.after_key`, if given, is the key after which they begin (in a descending order: below which).
    """

    @abstractmethod
    def load_session(self, session_id: str) -> Session | None:
        """Return the session, soft-deleted or not; None if it does not exist."""

    @abstractmethod
    def load_run(self, run_id: str) -> Run | None:
        """Return the run; None if it does not exist."""

    @abstractmethod
    def find_sessions(self, query: SessionQuery) -> list[Session]:
        """Return the sessions that match `query`, whose order is not by activity.

        A provider matches if a run of the session has it.
        """

    @abstractmethod
    def find_active(self, query: SessionQuery) -> list[ActiveSession]:
        """Return the sessions that match `query`, with the times of their last activity, by which `query.order` sorts.

        In one read, so that each time is the one by which the session was found.
        """

    @abstractmethod
    def find_runs(self, query: RunQuery) -> list[Run]:
        """Return the runs that match `query`."""

    @abstractmethod
    def find_events(self, query: EventQuery) -> list[StoredEvent]:
        """Return the events that match `query`."""

    def find_contents(self, query: EventQuery) -> list[EventContent]:
        """Return the contents of the events that match `query`; an adapter may read no other columns."""
        return list(map(EventContent.of, self.find_events(query)))

    def load_latest(self, session_id: str, event_type: str) -> Latest | None:
        """Return the last event of a type with the events that correlate with it; None without one.

        An adapter may do both in one read.
        """
        last = EventQuery(session_ids=(session_id,), types=(event_type,), order=EVENT_ORDERS["sequence_desc"], limit=1)
        for event in self.find_contents(last):
            correlated = EventQuery(session_ids=(session_id,), correlation_ids=(event.id,))
            return Latest(event, self.find_contents(correlated))
        return None

    @abstractmethod
    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        """Return the head of each session's log; unknown sessions are left out."""
