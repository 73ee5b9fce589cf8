"""The primitives that read sessions, runs and events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core.models import Run, Session, StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import ActiveSession, EventQuery, RunQuery, SessionQuery


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

    @abstractmethod
    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        """Return the head of each session's log; unknown sessions are left out."""
