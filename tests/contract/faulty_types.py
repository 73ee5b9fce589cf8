"""Stores with one fault each about the application's own event types, and the test that is meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fault_registry import caught_by

from asm_core import EventType
from asm_core.memory.reader import MemoryReader
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from asm_core import Event
    from asm_core.querying.queries import EventQuery

changed = msgspec.structs.replace


@caught_by("test_a_custom_type_is_read_as_it_was_given", "test_a_batch_keeps_custom_types")
class CustomTypesLowered(MemorySessionStore):
    def _store(self, event: Event) -> None:
        super()._store(changed(event, type=event.type.lower()) if "." in event.type else event)


@caught_by("test_events_are_found_by_a_custom_type")
class TypesFoundByTheirBeginning(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        if query.types is None:
            return super().find_events(query)
        found = super().find_events(changed(query, types=None))
        return [event for event in found if any(event.type[:5] == kind[:5] for kind in query.types)]


@caught_by("test_custom_types_are_exported")
class OnlyKnownTypesRead(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return [event for event in super().find_events(query) if isinstance(event.type, EventType)]


@caught_by("test_reserved_types_are_only_restored")
class ReservedTypesNotRestored(MemorySessionStore):
    def _restore_one(self, event: Event) -> bool:
        return not event.type.startswith("asm.") and super()._restore_one(event)


@caught_by("test_a_store_with_custom_types_is_healthy")
class CustomTypesReported(MemoryRetentionStore):
    def check_integrity(self) -> list[str]:
        kinds = {event.type for event in self._state.events.values()}
        return [*super().check_integrity(), *(f"Unknown type {kind}." for kind in kinds if kind not in set(EventType))]
