"""Consistency of logs: the sentences of a health check, and the check itself for stores that are not SQL."""

from __future__ import annotations

from collections import Counter
from itertools import chain, groupby, islice, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asm_core.models import Event, Run

RUN_ENDS: Final = (EventType.RUN_CANCELLED, EventType.RUN_COMPLETED, EventType.RUN_FAILED, EventType.RUN_TIMEOUT)
SESSION_ENDS: Final = (EventType.SESSION_CANCELLED, EventType.SESSION_COMPLETED, EventType.SESSION_FAILED)
SESSION_BEGINNINGS: Final = (EventType.SESSION_RESUMED, EventType.SESSION_STARTED)

SHOWN: Final = 5
"""The largest number of cases of one fault that a health check lists."""

RUN_ENDED_TWICE: Final = "Run {0} has {1} terminal events; a run ends once."
SESSION_ENDED_TWICE: Final = (
    "Session {0} ends again with event number {1} ({2}), but was not resumed after it ended with number {3}."
)
EVENTS_ELSEWHERE: Final = "Run {0} belongs to session {1}, but session {2} has events of it."
BEYOND_COUNTER: Final = "Session {0} has an event numbered {1}, but its counter is {2}."


def find_faults(events: Sequence[Event], runs: Mapping[str, Run], counters: Mapping[str, int]) -> list[str]:
    """Return the inconsistencies of all logs, one sentence each, with the first cases of each kind.

    Args:
        events: all stored events, in any order.
        runs: the stored runs, by id.
        counters: the last number of each session.
    """
    events = sorted(events, key=attrgetter("session_id", "sequence_number"))
    kinds = (
        _beyond_counters(events, counters),
        _runs_with_two_ends(events),
        _sessions_with_two_ends(events),
        _events_elsewhere(events, runs),
    )
    return list(chain.from_iterable(islice(faults, SHOWN) for faults in kinds))


def _beyond_counters(events: Sequence[Event], counters: Mapping[str, int]) -> Iterator[str]:
    last = {event.session_id: event.sequence_number or 0 for event in events}
    for session_id, number in last.items():
        if number > counters.get(session_id, 0):
            yield BEYOND_COUNTER.format(session_id, number, counters.get(session_id, 0))


def _runs_with_two_ends(events: Sequence[Event]) -> Iterator[str]:
    ends = Counter(event.run_id for event in events if event.type in RUN_ENDS and event.run_id)
    return (RUN_ENDED_TWICE.format(run_id, count) for run_id, count in sorted(ends.items()) if count > 1)


def _sessions_with_two_ends(events: Sequence[Event]) -> Iterator[str]:
    turns = (event for event in events if event.type in (*SESSION_ENDS, *SESSION_BEGINNINGS))
    for session_id, log in groupby(turns, key=attrgetter("session_id")):
        for last, event in pairwise(log):
            if last.type in SESSION_ENDS and event.type in SESSION_ENDS:
                yield SESSION_ENDED_TWICE.format(session_id, event.sequence_number, event.type, last.sequence_number)


def _events_elsewhere(events: Sequence[Event], runs: Mapping[str, Run]) -> Iterator[str]:
    pairs = {(event.run_id, event.session_id) for event in events if event.run_id in runs}
    for run_id, session_id in sorted(pairs):
        owner = runs[str(run_id)].session_id
        if owner != session_id:
            yield EVENTS_ELSEWHERE.format(run_id, owner, session_id)
