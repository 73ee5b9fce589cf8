"""The port through which a store is kept in bounds and in health."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from asm_core.errors import SessionNotFoundError, ValidationError, shown
from asm_core.querying.reader import Reader
from asm_core.retention import MaintenanceReport, RetentionPolicy, Steps
from asm_core.values.ids import check_name
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.models import Session
    from asm_core.retention import (
        DeletedSessions,
        EventMark,
        ExpiredSessions,
        Found,
        OversizedSessions,
        PrunableSessions,
        RemovableArtifacts,
        Removal,
        Stretch,
    )


class Progress(Protocol):
    """Told of maintenance as it goes on."""

    def __call__(self, step: str, count: int) -> None:
        """Note that `count` more items of a field of `MaintenanceReport` called `step` were dealt with."""


class Maintenance(Reader):
    """Applies retention policies, and checks the store's health.

    Everything works in batches of `policy.batch_size` rows of a table at the most, each a transaction of its own: other
    writers wait for one batch at the most, however large a session is, and a step that is interrupted keeps what it has
    done. What is to be done is looked for before, without a lock, some thousand rows at a time. Sequence numbers are
    never given out again, whatever is pruned. Any method may raise `StorageError`.

    A session that is removed for good is marked first. From then on every port takes it for gone, and the next pass
    finishes a removal that was interrupted, whatever its policy is.
    """

    def execute(
        self, policy: RetentionPolicy, *, dry_run: bool = False, progress: Progress | None = None
    ) -> MaintenanceReport:
        """Do all that `policy` asks for, and say what was done.

        In order: soft-delete expired sessions, remove for good what was soft-deleted long enough ago, prune sessions
        with too many events, prune the oldest events of all, remove artifacts that nothing owns. A tool call and its
        result are pruned together or not at all.

        Args:
            policy: what to keep for how long.
            dry_run: change nothing, and say what would be done.
            progress: called after each batch.
        """
        started = time.perf_counter()
        steps = self._steps(policy, dry_run=dry_run, progress=progress)
        soft_deleted = steps.soft_delete()
        hard_deleted = steps.hard_delete()
        pruned = steps.prune_each()
        pruned += steps.prune_total(already_gone=pruned)
        return MaintenanceReport(
            sessions_soft_deleted=soft_deleted,
            sessions_hard_deleted=hard_deleted,
            events_removed=steps.events_removed,
            events_pruned=pruned,
            artifacts_removed=steps.remove_artifacts(),
            dry_run=dry_run,
            duration_ms=(time.perf_counter() - started) * 1000,
        )

    def soft_delete_session(self, session_id: str) -> Session:
        """Mark a session as deleted, and return it; one that is soft-deleted already keeps the time of that.

        It is no longer listed and takes no events and no runs (`SessionDeletedError`), and is still read by its id.
        Retention removes it `hard_delete_after_days` later.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        self._soft_delete_sessions([check_name("session_id", session_id)], utc_now())
        return self._stored_session(session_id)

    def undelete_session(self, session_id: str) -> Session:
        """Take the soft deletion of a session back, and return it; one that is not soft-deleted is a no-op.

        Raises:
            SessionNotFoundError: the session does not exist.
            SessionDeletedError: its removal has begun.
        """
        self._undelete_session(check_name("session_id", session_id))
        return self._stored_session(session_id)

    def soft_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Mark the sessions that are older than `policy` allows as deleted; return how many."""
        return self._steps(policy).soft_delete()

    def hard_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Remove sessions soft-deleted `hard_delete_after_days` ago, with runs and events; return how many."""
        return self._steps(policy).hard_delete()

    def prune_session_events(self, session_id: str, policy: RetentionPolicy) -> int:
        """Prune the oldest events of one session down to `max_events_per_session`; return how many.

        A tool call and its result are pruned together, so that there may be one event less. A call without a result
        stays while its run has not ended (where that run is not stored: its session); one without a run may go.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        return self._steps(policy).prune_session(self._stored_session(check_name("session_id", session_id)).id)

    def clean_orphaned_artifacts(self) -> int:
        """Remove the metadata of artifacts whose session is gone; return how many."""
        return self._steps(RetentionPolicy(hard_delete_after_days=None)).remove_artifacts()

    def health_check(self) -> list[str]:
        """Return what is wrong with the store, a sentence each; an empty list is healthy."""
        return self._find_faults()

    def _stored_session(self, session_id: str) -> Session:
        session = self._load_session(session_id)
        if session is None:
            raise SessionNotFoundError(session_id)
        return session

    def _steps(self, policy: RetentionPolicy, *, dry_run: bool = False, progress: Progress | None = None) -> Steps:
        if not isinstance(policy, RetentionPolicy):
            message = f"This takes a RetentionPolicy, not {shown(policy)}."
            raise ValidationError(message)
        return Steps(self, policy, dry_run=dry_run, progress=progress)

    # -- what an adapter writes, beside the primitives of Reader -------------------------------------------------

    @abstractmethod
    def _batch(self) -> AbstractContextManager[object]:
        """Return a context in which all that this port does is one transaction; what is found in it stays as it is."""

    @abstractmethod
    def _find_expired(self, query: ExpiredSessions) -> Found:
        """Look for sessions to soft-delete, by id."""

    @abstractmethod
    def _find_deleted(self, query: DeletedSessions) -> Found:
        """Look for sessions to remove for good, by id, but none whose removal has begun."""

    @abstractmethod
    def _find_oversized(self, query: OversizedSessions) -> Found:
        """Look for sessions that may have too many events, by id."""

    @abstractmethod
    def _find_removable(self, query: RemovableArtifacts) -> Found:
        """Look for artifacts to remove for good, by id."""

    @abstractmethod
    def _find_prunable_sessions(self, query: PrunableSessions) -> list[str]:
        """Return the ids of those sessions whose events may be pruned."""

    @abstractmethod
    def _find_marked(self, after: str, limit: int) -> list[str]:
        """Return the ids of sessions whose removal has begun, by id, after one and at most so many."""

    @abstractmethod
    def _next_stretch(self, session_id: str | None, after: tuple[Any, ...] | None) -> Stretch | None:
        """Return the next stretch of a session's log, or, with None, of the events of all; None where there is none.

        It begins after a key (`asm_core.retention.key_fields`), or at the beginning, in the order of the keys, and has
        at least one event. How long it is, the adapter decides: as many as it counts in some milliseconds.
        """

    @abstractmethod
    def _list_events(self, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        """Return the events of a stretch as they are now, all at one instant, in the order of their keys."""

    @abstractmethod
    def _soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        """Set `deleted_at` of these sessions and nothing else; of one that has it, leave it; unknown ids are no-ops.

        In one transaction with what makes appends refuse the sessions: an append that waits meanwhile must find it.
        """

    @abstractmethod
    def _undelete_session(self, session_id: str) -> None:
        """Clear `deleted_at` of a session, which an append must find; an unknown id is a no-op.

        SessionDeletedError, with `in_removal`, where the removal of the session has begun.
        """

    @abstractmethod
    def _mark_removals(self, session_ids: Sequence[str], at: datetime) -> None:
        """Mark these sessions: their removal has begun, every read of any port leaves them out, writes are refused."""

    @abstractmethod
    def _remove_marked(self, limit: int) -> Removal:
        """Remove of marked sessions up to `limit` events and `limit` runs; return what was removed.

        A session of which neither is left is removed with its counter, up to `limit` of these. Removes something as
        long as a session is marked.
        """

    @abstractmethod
    def _remove_events(self, events: Sequence[EventMark]) -> int:
        """Remove these events, by session and number; return how many were there. Counters stay as they are."""

    @abstractmethod
    def _remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        """Remove the metadata of these artifacts."""

    @abstractmethod
    def _find_faults(self) -> list[str]:
        """Return what in the store contradicts itself, a sentence each."""
