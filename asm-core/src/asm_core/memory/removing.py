"""Removal of sessions in memory, a bounded number of rows at a time, inside a transaction."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from asm_core.retention import Removal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from asm_core.memory.state import State
    from asm_core.models import Event


def remove_marked(state: State, session_ids: Sequence[str], limit: int) -> Removal:
    """Remove up to `limit` events and runs of marked sessions, and marked sessions without any."""
    events = list(islice((event for one in session_ids for event in state.logs.get(one, {}).values()), limit))
    runs = list(islice((run for run in state.runs.values() if run.session_id in session_ids), limit))
    drop_events(state, events)
    for run in runs:
        state.drop(state.runs, run.id)
    with_runs = {run.session_id for run in state.runs.values()}
    empty = [one for one in session_ids if one not in with_runs and not state.logs.get(one)][:limit]
    for session_id in empty:
        for table in (state.logs, state.counters, state.log_ids, state.activity, state.removing, state.sessions):
            state.drop(table, session_id)
    return Removal(sessions=len(empty), runs=len(runs), events=len(events))


def drop_events(state: State, events: Collection[Event]) -> int:
    """Remove events, and return their number."""
    for event in events:
        state.drop(state.logs[event.session_id], event.sequence_number)
        state.drop(state.events, event.id)
    return len(events)
