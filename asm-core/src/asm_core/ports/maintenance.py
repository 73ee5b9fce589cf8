"""The port for retention and health checks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from asm_core import logs
from asm_core.errors import SessionNotFoundError
from asm_core.event_log.erasing import Erased, erase
from asm_core.models.base import check_instance
from asm_core.querying.queries import SessionQuery
from asm_core.retention import Compaction, MaintenanceReport, RetentionPolicy, Steps
from asm_core.values.ids import check_name
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from asm_core.models import Session
    from asm_core.retention import Planned, Progress, RetentionStore


_SESSIONS: Final = 100
"""The number of sessions of a user whose removal begins in one transaction."""


class Maintenance:
    """Applies retention policies, and checks the consistency of the store.

    Maintenance works in batches. Each batch is a transaction that changes at most `policy.batch_size` rows of a table,
    so that other writers wait for one batch only, whatever the size of a session. Candidates are searched without a
    lock, some thousand rows at a time. An interrupted step keeps the batches that it committed. Sequence numbers are
    never reused. Any method may raise `StorageError`.

    A session is marked before it is removed. From then on no port returns it. The next pass completes an interrupted
    removal, whatever its policy is.

    This class is complete: an adapter implements `RetentionStore`.
    """

    def __init__(self, store: RetentionStore) -> None:
        """Maintain `store`."""
        self._store = store

    def execute(
        self,
        policy: RetentionPolicy,
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
        planned: Planned | None = None,
    ) -> MaintenanceReport:
        """Apply all of `policy`, and return a report.

        The steps, in order: soft-delete expired sessions; remove sessions that were soft-deleted
        `hard_delete_after_days` ago; prune sessions with too many events; prune the oldest events of the store; remove
        orphaned artifacts; remove records of state that have expired. A tool call and its result are pruned together
        or not at all.

        Args:
            policy: the limits to apply.
            dry_run: change nothing, and report what would be done.
            progress: called after each batch.
            planned: called in a dry run for each session that would be soft-deleted, removed, or pruned because it has
                too many events, with the reason.
        """
        started = time.perf_counter()
        steps = self._steps(policy, dry_run=dry_run, progress=progress, planned=planned)
        soft_deleted = steps.soft_delete()
        hard_deleted = steps.hard_delete()
        pruned = steps.prune_each()
        pruned += steps.prune_total(already_gone=pruned)
        artifacts, records = steps.remove_artifacts(), steps.remove_records()
        erases = not dry_run and pruned + hard_deleted + steps.events_removed + records > 0
        report = MaintenanceReport(
            sessions_soft_deleted=soft_deleted,
            sessions_hard_deleted=hard_deleted,
            events_removed=steps.events_removed,
            events_pruned=pruned,
            artifacts_removed=artifacts,
            records_removed=records,
            erasure_pending=erases and not self._store.finish_erasure(),
            dry_run=dry_run,
            duration_ms=(time.perf_counter() - started) * 1000,
        )
        logs.info("maintenance", "maintenance done", **msgspec.structs.asdict(report))
        return report

    def soft_delete_session(self, session_id: str) -> Session:
        """Soft-delete a session and return it. If it is already soft-deleted, this is a no-op.

        A soft-deleted session is not listed, and accepts no events or runs (`SessionDeletedError`). `get_session` still
        returns it. Retention removes it `hard_delete_after_days` later.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        self._store.soft_delete_sessions([check_name("session_id", session_id)], utc_now())
        return self._stored_session(session_id)

    def undelete_session(self, session_id: str) -> Session:
        """Undo the soft deletion of a session and return it. If it is not soft-deleted, this is a no-op.

        Raises:
            SessionNotFoundError: the session does not exist.
            SessionDeletedError: its removal has begun.
        """
        self._store.undelete_session(check_name("session_id", session_id))
        return self._stored_session(session_id)

    def soft_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Soft-delete the sessions that are older than `policy` allows; return their number."""
        return self._steps(policy).soft_delete()

    def hard_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Remove sessions soft-deleted `hard_delete_after_days` ago, with runs and events; return their number."""
        return self._steps(policy).hard_delete()

    def prune_session_events(self, session_id: str, policy: RetentionPolicy) -> Erased:
        """Prune the oldest events of one session down to `max_events_per_session`; return their number.

        A tool call and its result are pruned together, so that one event less may remain. A call without a result is
        kept until its run has ended, or its session if that run is not stored. A call without a run may be pruned.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        session = self._stored_session(check_name("session_id", session_id))
        return erase(iter([self._steps(policy).prune_session(session.id)]), self._store.finish_erasure)

    def clean_orphaned_artifacts(self) -> int:
        """Remove the metadata of artifacts whose session no longer exists; return their number."""
        return self._steps(RetentionPolicy(hard_delete_after_days=None)).remove_artifacts()

    def clean_expired_records(self) -> Erased:
        """Remove the records of state whose `expires_at` has passed; return their number.

        No method returns such a record. Until it is removed, it takes space, and a listing passes over it.
        """
        steps = self._steps(RetentionPolicy())
        return erase(iter([steps.remove_records()]), self._store.finish_erasure)

    def compact(self) -> Compaction:
        """Return the space of removed records to the system; return the size before and after.

        The one step that may block writers, and readers on PostgreSQL, for as long as it takes to copy the store. It
        needs free disk space for the copy: VACUUM on SQLite, VACUUM FULL of this project's tables on PostgreSQL,
        which requires their owner. In memory, this is a no-op. It cannot run in a transaction.

        Raises:
            StorageError: a transaction is open, or the store was busy for too long.
        """
        before = self._store.size()
        self._store.compact()
        return Compaction(size_before=before, size_after=self._store.size())

    def finish_erasure(self) -> bool:
        """Remove copies of deleted and redacted content from the store's files; return whether none remains.

        Deletion, redaction and pruning do this at their end. While a reader is open, SQLite keeps old pages in its
        write-ahead log; then their result says so, and this method tries again.
        """
        return self._store.finish_erasure()

    def erase_user(self, user_id: str) -> MaintenanceReport:
        """Remove all sessions and records of a user permanently; return a report.

        Sessions are removed with their runs, events and artifact metadata. Records of state belong to the user if their
        namespace is one of `user_namespace`.

        Soft-deleted sessions and those that a policy would exempt are removed too. Works in batches, as a pass does,
        and completes interrupted removals. An interrupted call continues when it is repeated. What is saved for the
        user afterwards, blobs of artifacts, archives and backups are not removed. If nothing belongs to the user, the
        report is empty.
        """
        started = time.perf_counter()
        steps = self._steps(RetentionPolicy(hard_delete_after_days=None))
        query = SessionQuery(user_ids=(check_name("user_id", user_id),), include_deleted=True, limit=_SESSIONS)
        sessions = 0
        while found := self._store.find_sessions(query):
            with self._store.batch():
                own = msgspec.structs.replace(query, ids=tuple(session.id for session in found))
                self._store.mark_removals([session.id for session in self._store.find_sessions(own)], utc_now())
            sessions += steps.hard_delete()
        records = steps.remove_records_of(user_id)
        return MaintenanceReport(
            sessions_hard_deleted=sessions,
            events_removed=steps.events_removed,
            artifacts_removed=steps.remove_artifacts() if sessions else 0,
            records_removed=records,
            erasure_pending=sessions + records > 0 and not self._store.finish_erasure(),
            duration_ms=(time.perf_counter() - started) * 1000,
        )

    def health_check(self) -> list[str]:
        """Return the faults of the store, one sentence each; an empty list if it is healthy."""
        return self._store.check_integrity()

    def _stored_session(self, session_id: str) -> Session:
        session = self._store.load_session(session_id)
        if session is None:
            raise SessionNotFoundError(session_id)
        return session

    def _steps(
        self,
        policy: RetentionPolicy,
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
        planned: Planned | None = None,
    ) -> Steps:
        checked = check_instance(RetentionPolicy, policy)
        return Steps(self._store, checked, dry_run=dry_run, progress=progress, planned=planned)
