"""What every port that reads sessions, runs and events asks of its adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core.models import Event, Run, Session
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery


class Reader(ABC):
    """Primitives that `SessionStore`, `QueryAPI` and `Maintenance` share. An adapter writes them once, as a mixin.

    Queries arrive checked. Answers come in exactly the query's order and never hold more than `query.limit` items;
    `query.start`, where given, is the key after which they begin (in a descending order: below which).
    """

    @abstractmethod
    def _load_session(self, session_id: str) -> Session | None:
        """Return the session, soft-deleted or not; None if there is none."""

    @abstractmethod
    def _load_run(self, run_id: str) -> Run | None:
        """Return the run; None if there is none."""

    @abstractmethod
    def _find_sessions(self, query: SessionQuery) -> list[Session]:
        """Return the sessions that pass `query`. A provider matches if a run of the session has it."""

    @abstractmethod
    def _find_runs(self, query: RunQuery) -> list[Run]:
        """Return the runs that pass `query`."""

    @abstractmethod
    def _find_events(self, query: EventQuery) -> list[Event]:
        """Return the events that pass `query`."""

    @abstractmethod
    def _load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        """Return where the log of each session ends; unknown sessions are left out."""
