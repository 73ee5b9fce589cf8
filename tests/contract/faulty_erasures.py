"""Session stores that erase too much or too little, and the test that is meant to catch each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fault_registry import caught_by

from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core import Event
    from asm_core.values.payloads import Payload


@caught_by("test_deleted_events_are_gone_and_their_numbers_stay_used")
class DeletionFreesNumbers(MemorySessionStore):
    def _remove_events(self, events: Sequence[Event]) -> int:
        with self._state.transaction():
            count = super()._remove_events(events)
            session_id = events[0].session_id
            self._state.put(self._state.counters, session_id, max(self._state.logs[session_id], default=0))
            return count


@caught_by("test_many_events_are_deleted_and_redacted")
class FirstBatchErased(MemorySessionStore):
    def _remove_events(self, events: Sequence[Event]) -> int:
        return super()._remove_events(events) if events[0].sequence_number == 1 else 0


@caught_by("test_a_redacted_event_keeps_all_but_its_content")
class MetadataKept(MemorySessionStore):
    def _redact_events(self, session_id: str, ids: Sequence[str], data: Payload, metadata: Payload) -> int:  # noqa: ARG002
        return super()._redact_events(session_id, ids, data, {})


@caught_by("test_an_event_of_another_session_is_not_redacted")
class RedactedById(MemorySessionStore):
    def _redact_events(self, session_id: str, ids: Sequence[str], data: Payload, metadata: Payload) -> int:  # noqa: ARG002
        owners = {self._state.events[one].session_id for one in ids if one in self._state.events}
        return sum(super(RedactedById, self)._redact_events(owner, ids, data, metadata) for owner in owners)


@caught_by("test_a_redacted_event_stays_redacted")
class RestoredOverARedaction(MemorySessionStore):
    def _restore_one(self, event: Event) -> bool:
        stored = self._state.events.get(event.id)
        if stored is not None:
            self._store(event)
            return False
        return super()._restore_one(event)


@caught_by("test_a_deleted_id_may_be_stored_again")
class DeletedIdsRemembered(MemorySessionStore):
    def _remove_events(self, events: Sequence[Event]) -> int:
        for event in events:
            self._store(msgspec.structs.replace(event, data={}))
        return len(events)
