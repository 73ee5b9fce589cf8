"""Consistency checks of the in-memory backend."""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

from asm_core.event_log.consistency import (
    EVENTS_ELSEWHERE,
    RUN_ENDED_TWICE,
    RUN_ENDS,
    SESSION_BEGINNINGS,
    SESSION_ENDED_TWICE,
    SESSION_ENDS,
    SHOWN,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.memory.state import State


def find_faults(state: State) -> list[str]:
    """Return the inconsistencies of the logs, one sentence each, with the first cases of each kind."""
    kinds = (_runs_with_two_ends(state), _sessions_with_two_ends(state), _events_elsewhere(state))
    return list(chain.from_iterable(islice(faults, SHOWN) for faults in kinds))


def _runs_with_two_ends(state: State) -> Iterator[str]:
    ends = Counter(event.run_id for event in state.events.values() if event.type in RUN_ENDS and event.run_id)
    return (RUN_ENDED_TWICE.format(run_id, count) for run_id, count in sorted(ends.items()) if count > 1)


def _sessions_with_two_ends(state: State) -> Iterator[str]:
    for session_id, log in sorted(state.logs.items()):
        turns = [log[number] for number in sorted(log) if log[number].type in (*SESSION_ENDS, *SESSION_BEGINNINGS)]
        for last, event in pairwise(turns):
            if last.type in SESSION_ENDS and event.type in SESSION_ENDS:
                yield SESSION_ENDED_TWICE.format(session_id, event.sequence_number, event.type, last.sequence_number)


def _events_elsewhere(state: State) -> Iterator[str]:
    pairs = {(event.run_id, event.session_id) for event in state.events.values() if event.run_id in state.runs}
    for run_id, session_id in sorted(pairs):
        owner = state.runs[run_id].session_id
        if owner != session_id:
            yield EVENTS_ELSEWHERE.format(run_id, owner, session_id)
