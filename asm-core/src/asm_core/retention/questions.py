"""The queries of a maintenance pass, and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Self

import msgspec

from asm_core.models import Event, SessionStatus

_AGE: Final = ("timestamp", "session_id", "sequence_number")
_NUMBER: Final = ("sequence_number",)


class Exemption(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions in one of these statuses, or with one of these tags, must not be changed."""

    statuses: tuple[SessionStatus, ...]
    tags: tuple[str, ...]


class ExpiredSessions(msgspec.Struct, frozen=True, kw_only=True):
    """A query for live sessions to soft-delete: created before one time, ended before another, or idle since a third.

    A session has ended at its last change. It is idle since its last event, or without events since its creation. A
    time of None matches nothing.

    Attributes:
        ids: only these sessions, inside a batch: found sessions cannot change until the batch ends.
        after: the id after which to begin.
        limit: the largest number of sessions to find.
    """

    exempt: Exemption
    created_before: datetime | None
    ended_before: datetime | None
    idle_before: datetime | None = None
    ids: tuple[str, ...] | None = None
    after: str = ""
    limit: int


class DeletedSessions(msgspec.Struct, frozen=True, kw_only=True):
    """A query for sessions to remove: soft-deleted before a time. Other fields are those of `ExpiredSessions`."""

    exempt: Exemption
    deleted_before: datetime
    ids: tuple[str, ...] | None = None
    after: str = ""
    limit: int


class OversizedSessions(msgspec.Struct, frozen=True, kw_only=True):
    """A query for sessions whose last sequence number exceeds a limit, except those that will be removed anyway.

    They may have fewer events: core counts them. `after` and `limit` are those of `ExpiredSessions`.
    """

    exempt: Exemption
    max_events: int
    deleted_before: datetime | None
    after: str = ""
    limit: int


class PrunableSessions(msgspec.Struct, frozen=True, kw_only=True):
    """A query for sessions whose events may be pruned: not exempt, and not to be removed anyway.

    Attributes:
        ids: the sessions to check.
        deleted_before: leave out sessions soft-deleted before this time.
        hold: whether this is inside a batch: found sessions then exist until the batch ends.
    """

    exempt: Exemption
    ids: tuple[str, ...]
    deleted_before: datetime | None
    hold: bool = False


class RemovableArtifacts(msgspec.Struct, frozen=True, kw_only=True):
    """A query for artifacts to remove: orphaned ones, and those soft-deleted before a time, if any.

    A session whose removal has begun counts as missing. Sessions soft-deleted before `gone_before` count as missing
    too, unless they are exempt: a dry run has not removed them. Other fields are those of `ExpiredSessions`.
    """

    exempt: Exemption
    deleted_before: datetime | None = None
    gone_before: datetime | None = None
    ids: tuple[str, ...] | None = None
    after: str = ""
    limit: int


class Found(msgspec.Struct, frozen=True):
    """The result of one search, which scans a bounded number of rows.

    Attributes:
        ids: the matching ids, ascending; may be empty.
        after: the id after which the next search begins; None at the end.
    """

    ids: list[str]
    after: str | None = None


class Stretch(msgspec.Struct):
    """A range of a log, or of all events by age, with at most some thousand events.

    Attributes:
        after: the key after which it begins; None: at the beginning.
        until: the key of its last event.
        count: the number of its events.
    """

    after: tuple[Any, ...] | None
    until: tuple[Any, ...]
    count: int


class EventMark(msgspec.Struct, frozen=True):
    """The fields of an event that pruning needs: all except payloads."""

    id: str
    session_id: str
    sequence_number: int
    type: str
    timestamp: datetime
    run_id: str | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """Build the mark of a stored event."""
        return cls(
            id=event.id,
            session_id=event.session_id,
            sequence_number=event.sequence_number or 0,
            type=str(event.type),
            timestamp=event.timestamp,
            run_id=event.run_id,
        )

    def key(self, session_id: str | None) -> tuple[Any, ...]:
        """Return the key of the event in the log of a session, or with None, among all events by age."""
        return tuple([getattr(self, field) for field in key_fields(session_id)])


class Removal(msgspec.Struct, frozen=True):
    """The result of one batch of removals; empty if no session is left to remove."""

    sessions: int = 0
    runs: int = 0
    events: int = 0


def key_fields(session_id: str | None) -> tuple[str, ...]:
    """Return the key fields of a stretch: of a session's log, or with None, of all events by age."""
    return _AGE if session_id is None else _NUMBER
