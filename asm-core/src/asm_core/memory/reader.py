"""Reading sessions, runs and events in memory."""

from __future__ import annotations

from heapq import nlargest, nsmallest
from itertools import islice
from operator import gt, lt
from typing import TYPE_CHECKING, Any, TypeVar

from asm_core.models import Model
from asm_core.querying.heads import Head
from asm_core.querying.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from asm_core.memory.state import State
    from asm_core.models import Event, Run, Session
    from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery

M = TypeVar("M", bound=Model)


class MemoryReader(Reader):
    """The reader in memory.

    Everything is handed out as a copy: the payloads of a model are dicts, and a caller may change what it got.
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
            return _cut(self.passing_sessions(query), query)

    def find_runs(self, query: RunQuery) -> list[Run]:
        with self._state.lock:
            return _cut((run for run in self.runs() if _run_passes(run, query)), query)

    def find_events(self, query: EventQuery) -> list[Event]:
        with self._state.lock:
            events = self.passing_events(query)
            if query.order.name == "sequence_asc":
                return [event.checked() for event in islice(events, query.limit)]
            return _cut(events, query)

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
            and _session_passes(session, query)
        )

    def passing_events(self, query: EventQuery) -> Iterator[Event]:
        """Yield the events in the order of (session_id, sequence_number), from the start of a query in that order."""
        by_number = query.order.name == "sequence_asc"
        start = query.after_key if by_number and query.after_key else ("", 0)
        ids = self._state.logs if query.session_ids is None else query.session_ids
        for session_id in sorted(wanted for wanted in ids if wanted >= start[0] and wanted not in self._state.removing):
            after = max(query.after or 0, start[1] if session_id == start[0] else 0)
            last = self._state.counters.get(session_id, 0)
            before = last + 1 if query.before is None else min(query.before, last + 1)
            log = self._state.logs.get(session_id, {})
            for number in _numbers(log, after, before):
                event = log.get(number)
                if event is not None and _event_passes(event, query):
                    yield event


def _numbers(log: Collection[int], after: int, before: int) -> Iterable[int]:
    """Return all numbers of a log between two, exclusive, ascending; others may be among them."""
    if before - after > 2 * len(log):  # pruning and restoring leave gaps of any size
        return sorted(number for number in log if after < number < before)
    return range(after + 1, before)


def _session_passes(session: Session, query: SessionQuery) -> bool:
    return (
        (query.include_deleted or session.deleted_at is None)
        and _allowed(session.id, query.ids)
        and _allowed(session.agent_id, query.agent_ids)
        and _allowed(session.status, query.statuses)
        and (query.created_after is None or session.created_at > query.created_after)
        and (query.created_before is None or session.created_at < query.created_before)
        and (not query.tags or set(session.tags).issuperset(query.tags))
    )


def _run_passes(run: Run, query: RunQuery) -> bool:
    return (
        _allowed(run.id, query.ids)
        and _allowed(run.session_id, query.session_ids)
        and _allowed(run.status, query.statuses)
        and _allowed(run.provider, query.providers)
        and (query.started_after is None or run.started_at > query.started_after)
        and (query.started_before is None or run.started_at < query.started_before)
        and (query.min_tokens is None or run.total_tokens >= query.min_tokens)
    )


def _event_passes(event: Event, query: EventQuery) -> bool:
    return (
        _allowed(event.id, query.ids)
        and _allowed(event.run_id, query.run_ids)
        and _allowed(event.type, query.types)
        and _allowed(event.provider, query.providers)
        and _allowed(event.correlation_id, query.correlation_ids)
        and (query.since is None or event.timestamp >= query.since)
        and (query.until is None or event.timestamp < query.until)
    )


def _allowed(value: object, choice: Collection[object] | None) -> bool:
    return choice is None or value in choice


def _cut(items: Iterable[M], query: Any) -> list[M]:
    order, start, offset = query.order, query.after_key, getattr(query, "offset", 0)
    if start is not None:
        is_behind = lt if order.descending else gt
        items = (item for item in items if is_behind(order.key_of(item), start))
    if query.limit is None:
        found = sorted(items, key=order.key_of, reverse=order.descending)
    else:
        # Holds no more than it gives, however many there are.
        first = nlargest if order.descending else nsmallest
        found = first(offset + query.limit, items, key=order.key_of)
    return [item.checked() for item in found[offset:]]
