"""Maintenance, artifact registries and backends with one fault each, and the test that is meant to catch it."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core import Maintenance
from asm_core.memory import MemoryBackend
from asm_core.memory.artifact_registry import MemoryArtifactRegistry
from asm_core.memory.reader import MemoryReader
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.retention import Found, Removal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core import Artifact, Event, MaintenanceReport, Ports, RetentionPolicy, Session
    from asm_core.querying.queries import EventQuery, SessionQuery
    from asm_core.retention import DeletedSessions, EventMark, ExpiredSessions, RemovableArtifacts, Stretch

changed = msgspec.structs.replace


@caught_by("test_pruning_never_frees_a_number", "test_pruning_all_sessions_frees_no_number")
class CountersLostByPruning(MemoryRetentionStore):
    def remove_events(self, events: Sequence[EventMark]) -> int:
        with self._state.transaction():
            count = super().remove_events(events)
            for session_id, log in self._state.logs.items():
                self._state.put(self._state.counters, session_id, max(log, default=0))
            return count


@caught_by("test_an_exempt_session_never_expires")
class ExemptTagsIgnored(MemoryRetentionStore):
    def find_expired(self, query: ExpiredSessions) -> Found:
        return super().find_expired(changed(query, exempt=changed(query.exempt, tags=())))


@caught_by("test_a_session_expires_when_it_is_idle")
class IdleSinceItsCreation(MemoryRetentionStore):
    def _active_at(self, session: Session) -> datetime:
        return session.created_at


@caught_by("test_an_erased_user_leaves_nothing")
class DeletedSessionsOfAUserKept(MemoryRetentionStore):
    def find_sessions(self, query: SessionQuery) -> list[Session]:
        return super().find_sessions(changed(query, include_deleted=False))


@caught_by("test_records_of_an_erased_user_are_removed")
class RecordsOfOtherUsersRemoved(MemoryRetentionStore):
    def remove_records(self, prefix: str, limit: int) -> int:
        return super().remove_records(prefix[:-1], limit)


@caught_by("test_compaction_changes_no_record")
class CompactionForgetsCounters(MemoryRetentionStore):
    def compact(self) -> None:
        with self._state.transaction():
            for session_id, log in self._state.logs.items():
                self._state.put(self._state.counters, session_id, len(log))


@caught_by("test_an_exempt_session_is_never_removed")
class ExemptStatusesIgnored(MemoryRetentionStore):
    def find_deleted(self, query: DeletedSessions) -> Found:
        return super().find_deleted(changed(query, exempt=changed(query.exempt, statuses=())))


@caught_by("test_a_dry_run_changes_nothing")
class DryRunThatDeletes(Maintenance):
    def execute(self, policy: RetentionPolicy, *, dry_run: bool = False, **others: Any) -> MaintenanceReport:
        return changed(super().execute(policy, **others), dry_run=dry_run)


@caught_by("test_a_dry_run_reports_what_a_real_run_does")
class DryRunForgetsArtifacts(MemoryRetentionStore):
    def find_removable(self, query: RemovableArtifacts) -> Found:
        return super().find_removable(changed(query, gone_before=None))


@caught_by("test_protected_event_types_are_never_pruned")
class ProtectedEventsPruned(MemoryRetentionStore):
    def list_events(self, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        return [changed(mark, type="message_sent") for mark in super().list_events(session_id, stretch)]


@caught_by("test_a_tool_call_is_pruned_with_its_result", "test_a_tool_call_of_all_sessions_is_pruned_with_its_result")
class CallsCutFromTheirResults(MemoryRetentionStore):
    def find_events(self, query: Any) -> list[Any]:
        return super().find_events(query) if query.types is None else []


@caught_by("test_the_next_pass_finishes_a_removal_that_was_interrupted")
class RemovalNeverResumed(MemoryRetentionStore):
    def mark_removals(self, session_ids: Sequence[str], at: datetime) -> None:
        super().mark_removals(session_ids, at)
        self._mine = True

    def remove_marked(self, limit: int) -> Removal:
        return super().remove_marked(limit) if getattr(self, "_mine", False) else Removal()


@caught_by("test_a_session_is_removed_in_batches")
class RemovalInOneGo(MemoryRetentionStore):
    def remove_marked(self, limit: int) -> Removal:
        return super().remove_marked(limit * 1000)


@caught_by("test_a_session_whose_removal_was_interrupted_is_gone")
class HalfASessionRead(MemoryReader):
    def session(self, session_id: str) -> Session | None:
        return self._state.sessions.get(session_id)


@caught_by("test_what_belongs_to_a_session_whose_removal_was_interrupted_is_gone")
class HalfALogFound(MemoryReader):
    def passing_events(self, query: EventQuery) -> Iterator[Event]:
        removing, self._state.removing = self._state.removing, {}
        try:
            yield from list(super().passing_events(query))
        finally:
            self._state.removing = removing


@caught_by("test_progress_adds_up_to_the_report")
class BatchSizeIgnored(MemoryRetentionStore):
    def find_expired(self, query: ExpiredSessions) -> Found:
        return super().find_expired(changed(query, limit=1000))


@caught_by("test_a_dry_run_names_the_sessions_that_a_pass_would_soft_delete")
class PlansNothing(Maintenance):
    def execute(self, policy: RetentionPolicy, **others: Any) -> MaintenanceReport:
        others.pop("planned", None)
        return super().execute(policy, **others)


@caught_by("test_a_pass_that_is_interrupted_keeps_what_it_has_done")
class OneTransactionForAll(Maintenance):
    def execute(self, policy: RetentionPolicy, **others: Any) -> MaintenanceReport:
        with self._store._state.transaction():
            return super().execute(policy, **others)


@caught_by("test_pruned_events_are_in_the_archive")
class ArchiveForgotten(MemoryRetentionStore):
    def find_events(self, query: Any) -> list[Any]:
        return super().find_events(query) if query.ids is None else []


@caught_by("test_soft_deletion_changes_the_time_of_deletion_and_nothing_else")
class SoftDeletionTouchesTheSession(MemoryRetentionStore):
    def soft_delete_sessions(self, session_ids: Sequence[str], at: Any) -> None:
        with self._state.transaction():
            super().soft_delete_sessions(session_ids, at)
            for session_id in session_ids:
                session = changed(self._state.sessions[session_id], updated_at=at)
                self._state.put(self._state.sessions, session_id, session)


@caught_by("test_artifacts_of_sessions_that_are_gone_are_removed")
class OrphansKept(MemoryRetentionStore):
    def find_removable(self, query: RemovableArtifacts) -> Found:
        return Found([]) if query.deleted_before is None else super().find_removable(query)


@caught_by("test_a_store_in_use_is_healthy")
class HealthTooStrict(MemoryRetentionStore):
    def check_integrity(self) -> list[str]:
        return [name for name, last in self._state.counters.items() if len(self._state.logs.get(name, ())) != last]


@caught_by("test_another_artifact_under_a_live_id_or_key_is_refused")
class KeyTakenSilently(MemoryArtifactRegistry):
    def _register(self, artifact: Artifact) -> None:
        self._soft_delete_artifact(artifact.key, artifact.created_at)
        super()._register(artifact)


@caught_by("test_a_key_is_found_exactly")
class KeysWithoutCase(MemoryArtifactRegistry):
    def _by_key(self, key: str) -> Artifact | None:
        return next((one for one in self._state.artifacts.values() if one.key.lower() == key.lower()), None)


@caught_by("test_a_deleted_artifact_is_gone")
class DeletedArtifactsCounted(MemoryArtifactRegistry):
    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        found = [one for one in self._state.artifacts.values() if one.session_id == session_id]
        return len(found), sum(one.byte_size for one in found)


@caught_by("test_locations_of_artifacts_are_found")
class LocationsOfAnyStorage(MemoryArtifactRegistry):
    def _find_refs(self, storage_backend: str, refs: Sequence[str]) -> set[str]:  # noqa: ARG002  the fault
        return {one.storage_ref for one in self._state.artifacts.values()} & set(refs)


@caught_by("test_what_is_not_declared_is_refused")
class UndeclaredButSilent(MemoryBackend):
    capabilities = frozenset()

    def transaction(self) -> AbstractContextManager[Ports]:
        return nullcontext(self)


@caught_by("test_a_backend_may_be_closed_twice")
class ClosedOnce(MemoryBackend):
    def close(self) -> None:
        del self.session_store


@caught_by("test_closing_one_handle_leaves_the_others")
class ClosingOneClosesAll(MemoryBackend):
    def close(self) -> None:
        with suppress(AttributeError):
            del self._state.events
