"""Reading sessions, runs and events in memory."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from asm_core.querying.heads import Head
from asm_core.querying.matching import (
    active_matches,
    choose,
    event_matches,
    event_session_matches,
    run_matches,
    select,
    session_matches,
)
from asm_core.querying.queries import BY_NUMBER, ActiveSession
from asm_core.querying.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from asm_core.memory.state import State
    from asm_core.models import Run, Session, StoredEvent
    from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery


class MemoryReader(Reader):
    """The reader in memory.

    All results are copies: the payloads of a model are dicts, which a caller may change.
    """

    def __init__(self, state: State) -> None:
        """Read from `state`."""
        self._state = state

    def load_session(self, session_id: str) -> Session | None:
        with self._state.lock:
            session = self.session(session_id)
        return None if session is None else session.checked()

    def load_run(self, run_id: str) -> Run | None:
        with self._state.lock:
            run = self._state.runs.get(run_id)
            is_there = run is not None and run.session_id not in self._state.removing
        return run.checked() if run is not None and is_there else None

    def find_sessions(self, query: SessionQuery) -> list[Session]:
        with self._state.lock:
            return select(self.passing_sessions(query), query)

    def find_active(self, query: SessionQuery) -> list[ActiveSession]:
        with self._state.lock:
            activity = self._state.activity
            found = choose((ActiveSession(one, activity[one.id]) for one in self.passing_sessions(query)), query)
            return [ActiveSession(one.session.checked(), one.active_at) for one in found]

    def find_runs(self, query: RunQuery) -> list[Run]:
        with self._state.lock:
            return select((run for run in self.runs() if run_matches(run, query)), query)

    def find_events(self, query: EventQuery) -> list[StoredEvent]:
        with self._state.lock:
            events = self.passing_events(query)
            if query.order.key == BY_NUMBER:
                return [event.checked() for event in islice(events, query.limit)]
            return select(events, query)

    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        state = self._state
        with state.lock:
            known = [session_id for session_id in session_ids if self.session(session_id) is not None]
            return {name: Head(state.counters.get(name, 0), state.log_ids.get(name)) for name in known}

    def session(self, session_id: str) -> Session | None:
        """Return a session, if it is there and its removal has not begun."""
        return None if session_id in self._state.removing else self._state.sessions.get(session_id)

    def runs(self) -> Iterator[Run]:
        """Yield the runs of sessions whose removal has not begun."""
        return (run for run in self._state.runs.values() if run.session_id not in self._state.removing)

    def passing_sessions(self, query: SessionQuery) -> Iterable[Session]:
        """Yield the sessions that pass the filters of a query, in any order."""
        providers = None
        if query.providers is not None:
            providers = {run.session_id for run in self._state.runs.values() if run.provider in query.providers}
        return (
            session
            for session in self._state.sessions.values()
            if session.id not in self._state.removing
            and (providers is None or session.id in providers)
            and session_matches(session, query)
            and active_matches(self._state.activity[session.id], query)
        )

    def passing_events(self, query: EventQuery) -> Iterator[StoredEvent]:
        """Yield the events by session and number, in the direction and from the start of a query in such an order."""
        is_down = query.order.descending and query.order.key == BY_NUMBER
        start = query.after_key if query.order.key == BY_NUMBER else None
        ids = self._logs_of(query)
        for session_id in sorted(ids if start is None else _from(ids, start[0], is_down=is_down), reverse=is_down):
            after, before = query.after or 0, self._state.counters.get(session_id, 0) + 1
            before = before if query.before is None else min(query.before, before)
            if start is not None and session_id == start[0]:
                after, before = (after, min(start[1], before)) if is_down else (max(start[1], after), before)
            log = self._state.logs.get(session_id, {})
            for number in _numbers(log, after, before, is_down=is_down):
                event = log.get(number)
                if event is not None and event_matches(event, query):
                    yield event

    def _logs_of(self, query: EventQuery) -> set[str]:
        """Return the sessions whose logs a query reads."""
        ids = set(self._state.logs if query.session_ids is None else query.session_ids)
        if query.ids is not None:
            ids &= {event.session_id for event in map(self._state.events.get, query.ids) if event is not None}
        ids.difference_update(self._state.removing)
        if not query.asks_sessions:
            return ids
        sessions = self._state.sessions
        return {one for one in ids if one in sessions and event_session_matches(sessions[one], query)}


def _from(ids: Iterable[str], start: str, *, is_down: bool) -> Iterator[str]:
    return (name for name in ids if (name <= start if is_down else name >= start))


def _numbers(log: Collection[int], after: int, before: int, *, is_down: bool) -> Iterable[int]:
    """Return all numbers of a log between two, exclusive, in order; others may be among them."""
    if before - after > 2 * len(log):  # pruning and restoring leave gaps of any size
        return sorted((number for number in log if after < number < before), reverse=is_down)
    return range(before - 1, after, -1) if is_down else range(after + 1, before)
