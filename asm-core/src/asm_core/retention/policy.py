"""The retention policy, and the report of a maintenance pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from asm_core.errors import ValidationError, short_repr
from asm_core.models import EventType, SessionStatus
from asm_core.models.base import check_natural
from asm_core.models.session import check_tags
from asm_core.models.statuses import check_event_type, check_session_status
from asm_core.querying.queries import MAX_CHOICES, check_size
from asm_core.values.schemas import Described

if TYPE_CHECKING:
    from asm_core.retention.archive import ArchiveStore

PROTECTED_EVENT_TYPES: Final = (
    EventType.SESSION_CREATED,
    EventType.RUN_STARTED,
    EventType.RUN_COMPLETED,
    EventType.RUN_FAILED,
    EventType.ERROR_OCCURRED,
)
"""Event types that are never pruned, because a log without them is not comprehensible."""

_MOST_DAYS: Final = 365_000


class RetentionPolicy:
    """Limits on sessions and events. None is unlimited.

    Attributes:
        max_session_age_days: soft-delete a session this many days after it was created.
        max_idle_days: soft-delete a session this many days after its last event, or after its creation if its log is
            empty, in any status that is not exempt.
        max_completed_session_age_days: soft-delete a session that has ended (completed, failed or cancelled) this many
            days after its last change.
        max_events_per_session: prune the oldest events of a session until it has at most this many.
        max_total_events: prune the oldest events of all sessions until there are at most this many.
        hard_delete_after_days: remove sessions (with all their records) and artifacts permanently this many days after
            their soft deletion.
        archive_before_prune: copy data to `archive_store` before it is pruned or removed.
        archive_store: a session store of any backend.
        exempt_statuses: no step changes a session in one of these statuses.
        exempt_tags: no step changes a session with one of these tags.
        prune_event_types_first: events of these types are pruned before all others. A tool call and its result are
            pruned together, so any of their three types includes the others.
        batch_size: the largest number of rows of a table that one transaction changes; a tool call with its result
            counts as two.

    A pass also removes the records of state that have expired, whatever the policy is.
    """

    def __init__(
        self,
        *,
        max_session_age_days: int | None = None,
        max_idle_days: int | None = None,
        max_completed_session_age_days: int | None = 90,
        max_events_per_session: int | None = None,
        max_total_events: int | None = None,
        hard_delete_after_days: int | None = 30,
        archive_before_prune: bool = False,
        archive_store: ArchiveStore | None = None,
        exempt_statuses: Iterable[SessionStatus | str] = (SessionStatus.ACTIVE, SessionStatus.PAUSED),
        exempt_tags: Iterable[str] = ("pinned",),
        prune_event_types_first: Iterable[EventType | str] = (
            EventType.MESSAGE_STREAMED,
            EventType.TOKEN_USAGE_UPDATED,
        ),
        batch_size: int = 100,
    ) -> None:
        """Check the fields.

        Raises:
            ValidationError: a field has an invalid value, or two fields contradict each other.
        """
        self.max_session_age_days = _check_days("max_session_age_days", max_session_age_days)
        self.max_idle_days = _check_days("max_idle_days", max_idle_days)
        self.max_completed_session_age_days = _check_days(
            "max_completed_session_age_days", max_completed_session_age_days
        )
        self.max_events_per_session = _check_count("max_events_per_session", max_events_per_session)
        self.max_total_events = _check_count("max_total_events", max_total_events)
        self.hard_delete_after_days = _check_days("hard_delete_after_days", hard_delete_after_days)
        self.archive_before_prune = archive_before_prune
        self.archive_store = archive_store
        self.exempt_statuses = _check_each("exempt_statuses", exempt_statuses, check_session_status)
        self.exempt_tags = check_tags("exempt_tags", exempt_tags)
        check_size("exempt_tags", self.exempt_tags)
        self.prune_event_types_first = _check_each("prune_event_types_first", prune_event_types_first, check_event_type)
        self.batch_size = _check_batch_size(batch_size)
        self._check_together()

    def __repr__(self) -> str:
        """Return the constructor call."""
        return f"RetentionPolicy({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def _check_together(self) -> None:
        if not isinstance(self.archive_before_prune, bool):
            message = f"archive_before_prune must be true or false, not {short_repr(self.archive_before_prune)}."
            raise ValidationError(message)
        if self.archive_before_prune and self.archive_store is None:
            message = "archive_before_prune is set without an archive_store. Name the store to archive to."
            raise ValidationError(message)
        if self.archive_store is not None and not self.archive_before_prune:
            message = "archive_store is given, but archive_before_prune is not set. Set both or neither."
            raise ValidationError(message)
        protected = [kind for kind in self.prune_event_types_first if kind in PROTECTED_EVENT_TYPES]
        if protected:
            message = f"prune_event_types_first contains {', '.join(protected)}, which are never pruned. Remove them."
            raise ValidationError(message)

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, archive_store: ArchiveStore | None = None) -> Self:
        """Build the policy from a table of a file.

        Raises:
            ValidationError: a field is unknown or has an invalid value.
        """
        if not isinstance(fields, dict):
            message = f"A retention policy must be a table, not {short_repr(fields)}."
            raise ValidationError(message)
        known = set(vars(cls())) - {"archive_store"}
        unknown = sorted(set(fields) - known)
        if unknown:
            message = (
                f"A retention policy has no field {short_repr(unknown[0])}. Its fields: {', '.join(sorted(known))}."
            )
            raise ValidationError(message)
        return cls(**fields, archive_store=archive_store)


class Compaction(Described, frozen=True, kw_only=True):
    """The result of `Maintenance.compact`.

    Attributes:
        size_before: the size of the store in bytes before; 0 if the store has no files.
        size_after: its size afterwards.
    """

    size_before: int = 0
    size_after: int = 0


class MaintenanceReport(Described, frozen=True, kw_only=True):
    """The changes of a maintenance pass, or those that a dry run would make.

    Attributes:
        sessions_soft_deleted: the number of sessions that were soft-deleted.
        sessions_hard_deleted: the number of sessions whose removal was completed.
        events_removed: the number of events removed with sessions, also with those whose removal is not complete.
        events_pruned: the number of events removed from sessions that stay.
        artifacts_removed: the number of artifacts removed, orphaned or deleted `hard_delete_after_days` ago.
        records_removed: the number of records of state removed: they had expired, or belonged to an erased user.
        erasure_pending: whether copies of removed content may remain in the store's files; see
            `Maintenance.finish_erasure`.
        dry_run: whether this was a dry run.
        duration_ms: the duration in milliseconds.
    """

    sessions_soft_deleted: int = 0
    sessions_hard_deleted: int = 0
    events_removed: int = 0
    events_pruned: int = 0
    artifacts_removed: int = 0
    records_removed: int = 0
    erasure_pending: bool = False
    dry_run: bool = False
    duration_ms: float = 0.0


def _check_days(field: str, value: object) -> int | None:
    days = None if value is None else check_natural(field, value)
    if days is not None and days > _MOST_DAYS:
        message = f"{field} must be at most {_MOST_DAYS}, not {days}. None is unlimited."
        raise ValidationError(message)
    return days


def _check_batch_size(value: object) -> int:
    size = check_natural("batch_size", value, least=1)
    if size > MAX_CHOICES:
        message = f"batch_size must be at most {MAX_CHOICES}, not {size}."
        raise ValidationError(message)
    return size


def _check_count(field: str, value: object) -> int | None:
    return None if value is None else check_natural(field, value)


def _check_each(field: str, values: Any, check: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        message = f"{field} must be an iterable of names, not {short_repr(values)}."
        raise ValidationError(message)
    return tuple(dict.fromkeys(check(value) for value in values))
