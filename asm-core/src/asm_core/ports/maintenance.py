"""The port through which a store is kept in bounds and in health."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from asm_core.errors import SessionNotFoundError, ValidationError, shown
from asm_core.ids import check_name
from asm_core.ports.reader import Reader
from asm_core.retention import MaintenanceReport, RetentionPolicy
from asm_core.retention_steps import Steps

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.retention import (
        DeletedSessions,
        ExpiredSessions,
        OversizedSessions,
        PrunableEvents,
        RemovableArtifacts,
    )


class Progress(Protocol):
    """Told of maintenance as it goes on."""

    def __call__(self, step: str, count: int) -> None:
        """Note that `count` more items of a field of `MaintenanceReport` called `step` were dealt with."""


class Maintenance(Reader):
    """Applies retention policies, and checks the store's health.

    Everything works in batches of `policy.batch_size`, each a transaction of its own, so that others are not kept
    waiting and a step that is interrupted keeps what it has done. Sequence numbers are never given out again, whatever
    is pruned. Any method may raise `StorageError`.
    """

    def execute(
        self, policy: RetentionPolicy, *, dry_run: bool = False, progress: Progress | None = None
    ) -> MaintenanceReport:
        """Do all that `policy` asks for, and say what was done.

        In order: soft-delete expired sessions, remove for good what was soft-deleted long enough ago, prune sessions
        with too many events, prune the oldest events of all, remove artifacts that nothing owns.

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
            events_pruned=pruned,
            artifacts_removed=steps.remove_artifacts(),
            dry_run=dry_run,
            duration_ms=(time.perf_counter() - started) * 1000,
        )

    def soft_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Mark the sessions that are older than `policy` allows as deleted; return how many."""
        return self._steps(policy).soft_delete()

    def hard_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Remove sessions soft-deleted `hard_delete_after_days` ago, with runs and events; return how many."""
        return self._steps(policy).hard_delete()

    def prune_session_events(self, session_id: str, policy: RetentionPolicy) -> int:
        """Prune the oldest events of one session down to `max_events_per_session`; return how many.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        session = self._load_session(check_name("session_id", session_id))
        if session is None:
            raise SessionNotFoundError(session_id)
        return self._steps(policy).prune_session(session)

    def clean_orphaned_artifacts(self) -> int:
        """Remove the metadata of artifacts whose session is gone; return how many."""
        return self._steps(RetentionPolicy(hard_delete_after_days=None)).remove_artifacts()

    def health_check(self) -> list[str]:
        """Return what is wrong with the store, a sentence each; an empty list is healthy."""
        return self._find_faults()

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
    def _find_expired(self, query: ExpiredSessions) -> list[str]:
        """Return the ids of sessions to soft-delete, by id."""

    @abstractmethod
    def _find_deleted(self, query: DeletedSessions) -> list[str]:
        """Return the ids of sessions to remove for good, by id."""

    @abstractmethod
    def _find_oversized(self, query: OversizedSessions) -> list[str]:
        """Return the ids of sessions with too many events, by id."""

    @abstractmethod
    def _find_prunable(self, query: PrunableEvents) -> list[str]:
        """Return the ids of events that may be pruned, oldest first."""

    @abstractmethod
    def _count_prunable(self, query: PrunableEvents) -> int:
        """Return how many events may be pruned."""

    @abstractmethod
    def _count_stored(self, session_ids: Collection[str] | None) -> int:
        """Return how many events are stored of these sessions, or of all."""

    @abstractmethod
    def _find_removable(self, query: RemovableArtifacts) -> list[str]:
        """Return the ids of artifacts to remove for good, by id."""

    @abstractmethod
    def _soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        """Set `deleted_at` of these sessions and nothing else."""

    @abstractmethod
    def _remove_sessions(self, session_ids: Sequence[str]) -> None:
        """Remove these sessions with their runs, events and counters."""

    @abstractmethod
    def _remove_events(self, event_ids: Sequence[str]) -> None:
        """Remove these events; counters stay as they are."""

    @abstractmethod
    def _remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        """Remove the metadata of these artifacts."""

    @abstractmethod
    def _find_faults(self) -> list[str]:
        """Return what in the store contradicts itself, a sentence each."""
