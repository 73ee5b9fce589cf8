"""The primitives of maintenance."""

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


class Planned(Protocol):
    """A callback for what a dry run of maintenance would do."""

    def __call__(self, step: str, session_id: str, reason: str) -> None:
        """Note that `step`, the name of a field of `MaintenanceReport`, would change a session, and why."""


class RetentionStore(Reader):
    """The primitives that `Maintenance` needs in addition to `Reader`. An adapter implements them."""

    @abstractmethod
    def batch(self) -> AbstractContextManager[object]:
        """Return a context in which all calls form one transaction; records that are found in it cannot change."""

    @abstractmethod
    def find_expired(self, query: ExpiredSessions) -> Found:
        """Search for sessions to soft-delete, by id."""

    @abstractmethod
    def find_deleted(self, query: DeletedSessions) -> Found:
        """Search for sessions to remove, by id, except those whose removal has begun."""

    @abstractmethod
    def find_oversized(self, query: OversizedSessions) -> Found:
        """Search for sessions that may have too many events, by id."""

    @abstractmethod
    def find_removable(self, query: RemovableArtifacts) -> Found:
        """Search for artifacts to remove, by id."""

    @abstractmethod
    def find_prunable(self, query: PrunableSessions) -> list[str]:
        """Return the ids of the sessions whose events may be pruned."""

    @abstractmethod
    def find_marked(self, after: str, limit: int) -> list[str]:
        """Return at most `limit` ids of sessions whose removal has begun, in order, after an id."""

    @abstractmethod
    def next_stretch(self, session_id: str | None, after: tuple[Any, ...] | None) -> Stretch | None:
        """Return the next stretch of a session's log, or with None, of all events by age; None at the end.

        It begins after a key (`asm_core.retention.key_fields`), or at the beginning, in the order of the keys, and has
        at least one event. The adapter chooses its length: as many events as it can count in some milliseconds.
        """

    @abstractmethod
    def list_events(self, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        """Return the current events of a stretch, from one snapshot, in the order of their keys."""

    @abstractmethod
    def soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        """Set `deleted_at` of these sessions only; if it is set, keep it; unknown ids are no-ops.

        The same transaction must make appends to these sessions fail: an append that waits for a lock must find it.
        """

    @abstractmethod
    def undelete_session(self, session_id: str) -> None:
        """Clear `deleted_at` of a session, for appends too; an unknown id is a no-op.

        SessionDeletedError, with `in_removal`, if the removal of the session has begun.
        """

    @abstractmethod
    def mark_removals(self, session_ids: Sequence[str], at: datetime) -> None:
        """Mark these sessions as in removal: all reads of all ports leave them out, and writes are rejected."""

    @abstractmethod
    def remove_marked(self, limit: int) -> Removal:
        """Remove up to `limit` events and `limit` runs of marked sessions; return their numbers.

        Marked sessions without any are removed with their counters, at most `limit` of them. Each call removes
        something while a session is marked.
        """

    @abstractmethod
    def remove_events(self, events: Sequence[EventMark]) -> int:
        """Remove these events, by session and number; return the number of removed ones. Counters do not change."""

    def finish_erasure(self) -> bool:
        """Remove copies of removed content from the store's files; return whether none remains."""
        return True

    def size(self) -> int:
        """Return the size of the store's files in bytes; 0 without files."""
        return 0

    def compact(self) -> None:
        """Return unused space to the system; this may block other writers."""

    @abstractmethod
    def remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        """Remove the metadata of these artifacts."""

    @abstractmethod
    def count_expired_records(self, at: datetime) -> int:
        """Return the number of records of state that have expired at a time."""

    @abstractmethod
    def remove_expired_records(self, at: datetime, limit: int) -> int:
        """Remove at most `limit` records of state that have expired at a time; return their number.

        A record that another transaction is writing may be left. So the number is less than `limit` at the end only.
        """

    @abstractmethod
    def remove_records(self, prefix: str, limit: int) -> int:
        """Remove at most `limit` records of state whose namespace begins with `prefix`; return their number."""

    @abstractmethod
    def check_integrity(self) -> list[str]:
        """Return the inconsistencies of the store, one sentence each."""
