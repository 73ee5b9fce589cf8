"""The steps of retention, planned over the primitives of the maintenance port.

Each step goes on behind the last id it saw and never asks for the same item twice, so that a dry run, in which nothing
disappears, takes the same way as a real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asm_core.errors import AsmError, MaintenanceError, ValidationError
from asm_core.models import Session
from asm_core.queries import EventQuery, RunQuery
from asm_core.retention import (
    DeletedSessions,
    Exemption,
    ExpiredSessions,
    OversizedSessions,
    PrunableEvents,
    RemovableArtifacts,
    days_before,
)
from asm_core.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.models import Event, Run
    from asm_core.ports.maintenance import Maintenance, Progress
    from asm_core.ports.session_store import SessionStore
    from asm_core.retention import RetentionPolicy

_ARCHIVE_PAGE = 200
_COUNTS = 32
"""How often events are counted while the excess is halved, and somewhat more."""


class Steps:
    """The steps of one policy at one time."""

    def __init__(self, port: Maintenance, policy: RetentionPolicy, *, dry_run: bool, progress: Progress | None) -> None:
        """Fix the time: an item that expires while the steps run waits for the next time."""
        self._port = port
        self._policy = policy
        self._dry_run = dry_run
        self._progress = progress
        self._now = utc_now()
        self._exempt = Exemption(statuses=policy.exempt_statuses, tags=policy.exempt_tags)
        self._due = days_before(self._now, policy.hard_delete_after_days)
        self._events_of_removed_sessions = 0
        self._runs_archived: set[str] = set()
        if policy.archive_store is not None and not dry_run:
            self._refuse_itself_as_archive(policy.archive_store)

    def soft_delete(self) -> int:
        """Mark expired sessions as deleted."""
        query = ExpiredSessions(
            exempt=self._exempt,
            created_before=days_before(self._now, self._policy.max_session_age_days),
            ended_before=days_before(self._now, self._policy.max_completed_session_age_days),
            limit=self._policy.batch_size,
        )
        if query.created_before is None and query.ended_before is None:
            return 0
        return self._in_batches(
            "sessions_soft_deleted",
            lambda after: self._port._find_expired(msgspec.structs.replace(query, after=after)),
            lambda ids: self._port._soft_delete_sessions(ids, self._now),
        )

    def hard_delete(self) -> int:
        """Remove for good what was soft-deleted long enough ago."""
        if self._due is None:
            return 0
        query = DeletedSessions(exempt=self._exempt, deleted_before=self._due, limit=self._policy.batch_size)

        def find(after: str) -> list[str]:
            found = self._port._find_deleted(msgspec.structs.replace(query, after=after))
            if self._dry_run and found:
                self._events_of_removed_sessions += self._port._count_stored(found)
            return found

        return self._in_batches("sessions_hard_deleted", find, self._remove_sessions)

    def prune_each(self) -> int:
        """Prune every session that has too many events."""
        if self._policy.max_events_per_session is None:
            return 0
        query = OversizedSessions(
            exempt=self._exempt,
            max_events=self._policy.max_events_per_session,
            deleted_before=self._due,
            limit=self._policy.batch_size,
        )
        pruned = 0
        while found := self._port._find_oversized(query):
            pruned += sum(self._prune(session_id, self._policy.max_events_per_session) for session_id in found)
            query = msgspec.structs.replace(query, after=found[-1])
        return pruned

    def prune_session(self, session: Session) -> int:
        """Prune one session, unless it is exempt."""
        exempt = session.status in self._exempt.statuses or not set(session.tags).isdisjoint(self._exempt.tags)
        if exempt or self._policy.max_events_per_session is None:
            return 0
        return self._prune(session.id, self._policy.max_events_per_session)

    def prune_total(self, *, already_gone: int) -> int:
        """Prune the oldest events of all; `already_gone` is what a dry run did not really prune before."""
        if self._policy.max_total_events is None:
            return 0
        gone = already_gone + self._events_of_removed_sessions if self._dry_run else 0
        return self._prune(None, self._policy.max_total_events, already_gone=gone, already_pruned=already_gone)

    def remove_artifacts(self) -> int:
        """Remove the metadata of artifacts whose session is gone, or that were deleted long enough ago."""
        query = RemovableArtifacts(
            exempt=self._exempt,
            deleted_before=self._due,
            gone_before=self._due if self._dry_run else None,
            limit=self._policy.batch_size,
        )
        return self._in_batches(
            "artifacts_removed",
            lambda after: self._port._find_removable(msgspec.structs.replace(query, after=after)),
            self._port._remove_artifacts,
        )

    def _refuse_itself_as_archive(self, archive: SessionStore) -> None:
        # What is archived onto itself would be gone with what is removed. Only a write shows what a handle stands on.
        probe = Session.new(agent_id="asm: is this archive another store?")
        archive.save_session(probe)
        try:
            same = self._port._load_session(probe.id) is not None
        finally:
            archive.delete_session(probe.id)
        if same:
            message = "The archive_store is the store itself; archive to another one."
            raise ValidationError(message)

    def _in_batches(self, step: str, find: Callable[[str], list[str]], apply: Callable[[list[str]], None]) -> int:
        count, after = 0, ""
        while True:
            with self._port._batch():
                found = find(after)
                if found and not self._dry_run:
                    apply(found)
            if not found:
                return count
            count, after = count + len(found), found[-1]
            self._report(step, len(found))

    def _prune(self, session_id: str | None, most: int, *, already_gone: int = 0, already_pruned: int = 0) -> int:
        everything = PrunableEvents(exempt=self._exempt, session_id=session_id, deleted_before=self._due)
        if self._dry_run:
            excess = self._excess(session_id, most + already_gone)
            return max(0, min(excess, self._port._count_prunable(everything) - already_pruned)) if excess > 0 else 0
        first = self._policy.prune_event_types_first
        return sum(
            self._prune_down_to(most, msgspec.structs.replace(everything, types=types))
            for types in ((first, None) if first else (None,))
        )

    def _excess(self, session_id: str | None, most: int) -> int:
        return self._port._count_stored(None if session_id is None else [session_id]) - most

    def _prune_down_to(self, most: int, query: PrunableEvents) -> int:
        pruned, allowed = 0, 0
        while True:
            with self._port._batch():
                if allowed <= 0:
                    # To count is to go through everything. So not for each batch, and yet so often that as many
                    # processes may prune at the same time without pruning too much.
                    excess = self._excess(query.session_id, most)
                    allowed = max(excess // _COUNTS, min(excess, self._policy.batch_size))
                limit = min(self._policy.batch_size, allowed)
                found = self._port._find_prunable(msgspec.structs.replace(query, limit=limit)) if limit > 0 else []
                query = self._behind(query, found)
                self._archive_events(found)
                self._port._remove_events(found)
            pruned, allowed = pruned + len(found), allowed - len(found)
            self._report("events_pruned", len(found))
            if len(found) < max(limit, 1):
                return pruned

    def _behind(self, query: PrunableEvents, found: list[str]) -> PrunableEvents:
        last = next(iter(self._port._find_events(EventQuery(ids=(found[-1],)))), None) if found else None
        if last is None:  # nothing was found, or it went with its session meanwhile
            return query
        return msgspec.structs.replace(query, start=tuple(getattr(last, field) for field in query.key))

    def _remove_sessions(self, session_ids: list[str]) -> None:
        for session_id in session_ids if self._policy.archive_store else ():
            for events in self._pages_of_events(session_id):
                self._archive(session_id, events)
        self._port._remove_sessions(session_ids)

    def _archive_events(self, event_ids: list[str]) -> None:
        if self._policy.archive_store is None or not event_ids:
            return
        by_session: dict[str, list[Event]] = {}
        for event in self._port._find_events(EventQuery(ids=tuple(event_ids))):
            by_session.setdefault(event.session_id, []).append(event)
        for session_id, events in by_session.items():
            self._archive(session_id, events)

    def _archive(self, session_id: str, events: list[Event]) -> None:
        archive: SessionStore | None = self._policy.archive_store
        session = self._port._load_session(session_id)
        if archive is None or session is None:
            return
        last_sequence = self._port._load_heads([session_id])[session_id].last_sequence
        try:
            if session_id not in self._runs_archived:
                # What an earlier pass archived of session and runs has changed since; their last state counts.
                archive.save_session(session)
                for runs in self._pages_of_runs(session_id):
                    for run in runs:
                        archive.save_run(run)
                self._runs_archived.add(session_id)
            archive.restore_session(session, events=events, last_sequence=last_sequence)
        except AsmError as error:
            if error.retryable:
                raise
            message = f"Session {session_id} cannot be archived, so nothing of it was removed: {error.message}"
            raise MaintenanceError(message, details={"session_id": session_id}) from error

    def _pages_of_runs(self, session_id: str) -> Iterator[list[Run]]:
        query = RunQuery(session_ids=(session_id,), limit=_ARCHIVE_PAGE)
        while runs := self._port._find_runs(query):
            yield runs
            query = msgspec.structs.replace(query, start=query.order.key_of(runs[-1]))

    def _pages_of_events(self, session_id: str) -> Iterator[list[Event]]:
        query = EventQuery(session_ids=(session_id,), after=0, limit=_ARCHIVE_PAGE)
        while True:
            events = self._port._find_events(query)
            yield events
            if len(events) < _ARCHIVE_PAGE:
                return
            query = msgspec.structs.replace(query, after=events[-1].sequence_number)

    def _report(self, step: str, count: int) -> None:
        if self._progress is not None and count:
            self._progress(step, count)
