"""The reader on any SQL database."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asm_core.querying.contents import EventContent, Latest
from asm_core.querying.heads import Head
from asm_core.querying.queries import ActiveSession, EventQuery, RunQuery, SessionQuery
from asm_core.querying.reader import Reader
from asm_core.sql.queries import ReadQueries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from asm_core.models import Run, Session, StoredEvent
    from asm_core.sql.database import Database
    from asm_core.sql.queries import Statement
    from asm_core.sql.replica import Replica

T = TypeVar("T")

_CHUNK: Final = 500
"""The number of rows of one fetch: thousands would cause a full garbage collection."""
_LATEST_ORDER: Final = itemgetter(0, 3)
"""The event before those that correlate with it, and these by their numbers."""


class SQLReader(Reader):
    """Executes query objects with core's SQL."""

    def __init__(self, database: Database[Any], replica: Replica | None = None) -> None:
        """Read from `database`; from `replica` first, if there is one."""
        self._database = database
        self._replica = replica
        self._codec = database.codec
        self._reads = ReadQueries(database.words)

    def load_session(self, session_id: str) -> Session | None:
        return next(iter(self.find_sessions(SessionQuery(ids=(session_id,), include_deleted=True))), None)

    def load_run(self, run_id: str) -> Run | None:
        return next(iter(self.find_runs(RunQuery(ids=(run_id,)))), None)

    def find_sessions(self, query: SessionQuery) -> list[Session]:
        return self.answer(self._reads.sessions(query), self._codec.sessions)

    def find_active(self, query: SessionQuery) -> list[ActiveSession]:
        return self.answer(self._reads.active_sessions(query), self._codec.active_sessions)

    def find_runs(self, query: RunQuery) -> list[Run]:
        return self.answer(self._reads.runs(query), self._codec.runs)

    def find_events(self, query: EventQuery) -> list[StoredEvent]:
        if query.text is not None:
            if self._replica is not None and (lagging := self._replica.find_events(query)) is not None:
                return lagging
            candidates = self._database.texts.candidates(query.text)
            if candidates is not None:
                return self._found(self._reads.events(query, candidates), self._codec.events)
        return self.answer(self._reads.events(query), self._codec.events)

    def find_contents(self, query: EventQuery) -> list[EventContent]:
        if query.text is not None:
            return super().find_contents(query)
        return self.answer(self._reads.contents(query), self._codec.contents)

    def load_latest(self, session_id: str, event_type: str) -> Latest | None:
        rows = self._few(self._reads.latest(session_id, event_type))
        if not rows:
            return None
        rows.sort(key=_LATEST_ORDER)
        event, *correlated = self._codec.contents([row[1:] for row in rows])
        return Latest(event, correlated)

    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        rows = self.answer(self._reads.heads(tuple(session_ids)), list)
        return {session_id: Head(*fields) for session_id, *fields in rows}

    def answer(self, statement: Statement, decode: Callable[[list[Any]], Sequence[T]]) -> list[T]:
        """Decode the rows, some hundred at a time."""
        if self._replica is not None and (lagging := self._replica.answer(statement, decode)) is not None:
            return lagging
        return self._found(statement, decode)

    def _few(self, statement: Statement) -> list[Any]:
        """Return all rows of a statement that finds few."""
        if self._replica is not None and (lagging := self._replica.answer(statement, list)) is not None:
            return lagging
        return self._database.fetch(*statement)

    def _found(self, statement: Statement, decode: Callable[[list[Any]], Sequence[T]]) -> list[T]:
        found: list[T] = []
        with self._database.read() as connection:
            cursor = connection.execute_sql(*statement)
            while True:
                rows = cursor.fetchmany(_CHUNK)
                found += decode(rows)
                if len(rows) < _CHUNK:
                    return found
