"""Stores with one fault each about forks, and the test that is meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fault_registry import caught_by

from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from asm_core import Event, Run, Session


@caught_by("test_a_fork_keeps_the_gaps_of_pruned_events")
class ForksNumberedAgain(MemorySessionStore):
    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        again = [event.numbered(place) for place, event in enumerate(events, 1)]
        return super()._restore(session, runs, again, last_sequence, replace=replace)


@caught_by("test_a_fork_has_the_beginning_of_the_log")
class ForksAtTheEnd(MemorySessionStore):
    def fork_session(self, session_id: str, **arguments: Any) -> Session:
        return super().fork_session(session_id, **{**arguments, "at": None})


@caught_by("test_a_fork_that_is_refused_stores_nothing")
class ForksWithoutLimit(MemorySessionStore):
    def fork_session(self, session_id: str, **arguments: Any) -> Session:
        return super().fork_session(session_id, **{**arguments, "max_events": 10_000})
