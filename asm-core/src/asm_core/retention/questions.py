"""What a pass of maintenance asks of a backend, and the shape of the answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Self

import msgspec

from asm_core.models import Event, SessionStatus

_AGE: Final = ("timestamp", "session_id", "sequence_number")
_NUMBER: Final = ("sequence_number",)


class Exemption(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions in one of these statuses, or with one of these tags, are not to be touched."""

    statuses: tuple[SessionStatus, ...]
    tags: tuple[str, ...]


class ExpiredSessions(msgspec.Struct, frozen=True, kw_only=True):
    """Live sessions to soft-delete: created before one time, or ended and last changed before another.

    A time that is None lets nothing through.

    Attributes:
        ids: only these, inside a batch: what is found stays as it is until the batch ends.
        after: the id after which to begin.
        limit: how many to find at the most.
    """

    exempt: Exemption
    created_before: datetime | None
    ended_before: datetime | None
    ids: tuple[str, ...] | None = None
    after: str = ""
    limit: int


class DeletedSessions(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions to remove for good: soft-deleted before a time. `ids`, `after` and `limit` as in `ExpiredSessions`."""

    exempt: Exemption
    deleted_before: datetime
    ids: tuple[str, ...] | None = None
    after: str = ""
    limit: int


class OversizedSessions(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions in which more numbers were given out than so many, except those to be removed for good anyway.

    They may have fewer events than that: core counts these itself. `after` and `limit` as in `ExpiredSessions`.
    """

    exempt: Exemption
    max_events: int
    deleted_before: datetime | None
    after: str = ""
    limit: int


class PrunableSessions(msgspec.Struct, frozen=True, kw_only=True):
    """Those of some sessions whose events may be pruned: not exempt, and not to be removed for good anyway.

    Attributes:
        ids: of these.
        deleted_before: leave out sessions soft-deleted before this.
        hold: asked inside a batch: what is found stays there until the batch ends.
    """

    exempt: Exemption
    ids: tuple[str, ...]
    deleted_before: datetime | None
    hold: bool = False


class RemovableArtifacts(msgspec.Struct, frozen=True, kw_only=True):
    """Artifacts to remove for good: of sessions that are gone, and those soft-deleted before a time, if any.

    A session whose removal has begun is gone. `gone_before` counts sessions soft-deleted before that time as gone, too,
    unless they are exempt: a dry run has not removed them. `ids`, `after` and `limit` as in `ExpiredSessions`.
    """

    exempt: Exemption
    deleted_before: datetime | None = None
    gone_before: datetime | None = None
    ids: tuple[str, ...] | None = None
    after: str = ""
    limit: int


class Found(msgspec.Struct, frozen=True):
    """What was found in one look, which goes through a bounded number of rows.

    Attributes:
        ids: of what passes, ascending; there may be none.
        after: the id after which the next look begins; None: there is nothing further.
    """

    ids: list[str]
    after: str | None = None


class Stretch(msgspec.Struct):
    """A part of a log, or of the events of all logs by age, of at most some thousand events.

    Attributes:
        after: the key after which it begins; None: at the beginning.
        until: the key of its last event.
        count: how many events it has.
    """

    after: tuple[Any, ...] | None
    until: tuple[Any, ...]
    count: int


class EventMark(msgspec.Struct, frozen=True):
    """What pruning needs to know of an event: all but what it carries."""

    id: str
    session_id: str
    sequence_number: int
    type: str
    timestamp: datetime
    run_id: str | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return what there is to know of a stored event."""
        return cls(
            id=event.id,
            session_id=event.session_id,
            sequence_number=event.sequence_number or 0,
            type=event.type.value,
            timestamp=event.timestamp,
            run_id=event.run_id,
        )

    def key(self, session_id: str | None) -> tuple[Any, ...]:
        """Return where the event stands in the log of a session, or, with None, among the events of all by age."""
        return tuple([getattr(self, field) for field in key_fields(session_id)])


class Removal(msgspec.Struct, frozen=True):
    """What one batch of removing sessions removed; nothing at all: no session is left to remove."""

    sessions: int = 0
    runs: int = 0
    events: int = 0


def key_fields(session_id: str | None) -> tuple[str, ...]:
    """Return the fields of the keys of a stretch: of the log of a session, or, with None, of all events by age."""
    return _AGE if session_id is None else _NUMBER
