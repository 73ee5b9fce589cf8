"""Stores that mix a log with the one that stood in its place, and the test that is meant to catch each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fault_registry import caught_by

from asm_core.memory.reader import MemoryReader
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from asm_core import Event
    from asm_core.querying.heads import Head


@caught_by("test_a_follower_finds_a_log_that_was_restored_under_its_id")
class LogIdIsTheSessionId(MemoryReader):
    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        return {name: head._replace(log_id=name) for name, head in super().load_heads(session_ids).items()}


@caught_by("test_a_follower_finds_a_replaced_log", "test_a_follower_that_waits_finds_a_replaced_log")
class FollowsByNumbersAlone(MemorySessionStore):
    def follow_events(self, session_id: str, *, after: Any = 0, **options: Any) -> Iterator[Event]:  # type: ignore[override]
        options.pop("idle_timeout", None)
        while events := self.get_events(session_id, after=after, wait_timeout=1.0, **options):
            yield from events
            after = events[-1].sequence_number


@caught_by("test_reading_on_from_an_event_finds_a_replaced_log", "test_a_wait_after_an_event_finds_a_replaced_log")
class EventTakenForItsNumber(MemorySessionStore):
    def get_events(self, session_id: str, *, after: Any = None, **filters: Any) -> list[Event]:  # type: ignore[override]
        return super().get_events(session_id, after=getattr(after, "sequence_number", after), **filters)


@caught_by("test_a_pruned_event_is_no_setback")
class PruningMakesAnotherLog(MemoryRetentionStore):
    def remove_events(self, event_ids: Sequence[str]) -> None:
        super().remove_events(event_ids)
        with self._state.transaction():
            for session_id in self._state.log_ids:
                self._state.put(self._state.log_ids, session_id, event_ids[0])
