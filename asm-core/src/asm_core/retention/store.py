"""The primitives of maintenance, on which a pass of retention stands."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from asm_core.querying.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.retention.questions import (
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
    """A callback for the progress of maintenance."""

    def __call__(self, step: str, count: int) -> None:
        """Add `count` to the progress of `step`, the name of a field of `MaintenanceReport`."""


class RetentionStore(Reader):
    """What `Maintenance` needs of a store, beside the primitives of `Reader`. An adapter writes it."""

    @abstractmethod
    def batch(self) -> AbstractContextManager[object]:
        """Return a context in which all that this port does is one transaction; what is found in it stays as it is."""

    @abstractmethod
    def find_expired(self, query: ExpiredSessions) -> Found:
        """Look for sessions to soft-delete, by id."""

    @abstractmethod
    def find_deleted(self, query: DeletedSessions) -> Found:
        """Look for sessions to remove for good, by id, but none whose removal has begun."""

    @abstractmethod
    def find_oversized(self, query: OversizedSessions) -> Found:
        """Look for sessions that may have too many events, by id."""

    @abstractmethod
    def find_removable(self, query: RemovableArtifacts) -> Found:
        """Look for artifacts to remove for good, by id."""

    @abstractmethod
    def find_prunable(self, query: PrunableSessions) -> list[str]:
        """Return the ids of those sessions whose events may be pruned."""

    @abstractmethod
    def find_marked(self, after: str, limit: int) -> list[str]:
        """Return the ids of sessions whose removal has begun, by id, after one and at most so many."""

    @abstractmethod
    def next_stretch(self, session_id: str | None, after: tuple[Any, ...] | None) -> Stretch | None:
        """Return the next stretch of a session's log, or, with None, of the events of all; None where there is none.

        It begins after a key (`asm_core.retention.key_fields`), or at the beginning, in the order of the keys, and has
        at least one event. How long it is, the adapter decides: as many as it counts in some milliseconds.
        """

    @abstractmethod
    def list_events(self, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        """Return the events of a stretch as they are now, all at one instant, in the order of their keys."""

    @abstractmethod
    def soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        """Set `deleted_at` of these sessions and nothing else; of one that has it, leave it; unknown ids are no-ops.

        In one transaction with what makes appends refuse the sessions: an append that waits meanwhile must find it.
        """

    @abstractmethod
    def undelete_session(self, session_id: str) -> None:
        """Clear `deleted_at` of a session, which an append must find; an unknown id is a no-op.

        SessionDeletedError, with `in_removal`, where the removal of the session has begun.
        """

    @abstractmethod
    def mark_removals(self, session_ids: Sequence[str], at: datetime) -> None:
        """Mark these sessions: their removal has begun, every read of any port leaves them out, writes are refused."""

    @abstractmethod
    def remove_marked(self, limit: int) -> Removal:
        """Remove of marked sessions up to `limit` events and `limit` runs; return what was removed.

        A session of which neither is left is removed with its counter, up to `limit` of these. Removes something as
        long as a session is marked.
        """

    @abstractmethod
    def remove_events(self, events: Sequence[EventMark]) -> int:
        """Remove these events, by session and number; return how many were there. Counters stay as they are."""

    @abstractmethod
    def remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        """Remove the metadata of these artifacts."""

    @abstractmethod
    def check_integrity(self) -> list[str]:
        """Return what in the store contradicts itself, a sentence each."""
