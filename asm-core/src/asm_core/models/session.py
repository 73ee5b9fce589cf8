"""Sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Self

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.models.base import Model, check_natural
from asm_core.models.statuses import SESSION_STEPS, SessionStatus, check_session_status, check_step
from asm_core.values.ids import check_name, check_optional_name, new_id
from asm_core.values.payloads import Payload, check_payload
from asm_core.values.times import check_optional_time, check_time, utc_now

STAMP_KEY: Final = "asm"
"""The metadata key of a session or run that holds the identity of the process that records it."""


class Session(Model, frozen=True, kw_only=True):
    """The interactions with one agent.

    Attributes:
        id: ``ses_`` and 32 hex digits, or an id that the caller chose.
        agent_id: the agent of the session.
        user_id: the user to whom the session belongs.
        title: what the application shows of the session in a list.
        status: its status; see `with_status`.
        parent_session_id: the session it was forked from; that session need not be stored.
        metadata: any data of the application.
        context: the agent's context for the whole session, such as a system prompt or settings.
        tags: labels to search by, without duplicates, in the given order.
        created_at: the time of its creation.
        updated_at: the time of its last change.
        deleted_at: the time of its soft deletion; None while it is live.
        revision: the number of its saves, as the store counts them; 0 while it is not stored.
    """

    id: str
    agent_id: str
    user_id: str | None = None
    title: str | None = None
    status: SessionStatus = SessionStatus.PENDING
    parent_session_id: str | None = None
    metadata: Payload = msgspec.field(default_factory=dict)
    context: Payload = msgspec.field(default_factory=dict)
    tags: tuple[str, ...] = ()
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    revision: int = 0

    named: ClassVar[Mapping[str, Callable[[object], object]]] = {"status": check_session_status}

    @classmethod
    def new(
        cls,
        *,
        agent_id: str,
        id: str | None = None,  # noqa: A002  the field's name
        user_id: str | None = None,
        title: str | None = None,
        status: SessionStatus | str = SessionStatus.PENDING,
        parent_session_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> Self:
        """Return a new session, with defaults for all fields that are not given.

        Raises:
            ValidationError: a field has an invalid value.

        >>> session = Session.new(agent_id="assistant", tags=["demo"])
        >>> session.status, session.tags
        (<SessionStatus.PENDING: 'pending'>, ('demo',))
        """
        created_at = utc_now() if created_at is None else created_at
        return cls(
            id=new_id("ses") if id is None else id,
            agent_id=agent_id,
            user_id=user_id,
            title=title,
            status=check_session_status(status),
            parent_session_id=parent_session_id,
            metadata={} if metadata is None else metadata,
            context={} if context is None else context,
            tags=check_tags("tags", tags),
            created_at=created_at,
            updated_at=updated_at or created_at,
        ).checked()

    def checked(self) -> Self:
        """Return an equal session with each field checked and normalised."""
        return type(self)(
            id=check_name("id", self.id),
            agent_id=check_name("agent_id", self.agent_id),
            user_id=check_optional_name("user_id", self.user_id),
            title=check_optional_name("title", self.title),
            status=check_session_status(self.status),
            parent_session_id=check_optional_name("parent_session_id", self.parent_session_id),
            metadata=check_payload("metadata", self.metadata),
            context=check_payload("context", self.context),
            tags=check_tags("tags", self.tags),
            created_at=check_time("created_at", self.created_at),
            updated_at=check_time("updated_at", self.updated_at),
            deleted_at=check_optional_time("deleted_at", self.deleted_at),
            revision=check_natural("revision", self.revision),
        )

    def with_status(self, status: SessionStatus | str) -> Self:
        """Return the session with a new status: pending -> active (<-> paused) -> completed | failed | cancelled.

        Raises:
            InvalidTransitionError: the transition is not allowed.
            InvalidStatusError: unknown status.
        """
        new = check_session_status(status)
        check_step(f"Session {self.id}", SESSION_STEPS, self.status, new)
        return self._changed(status=new)

    def with_metadata(self, metadata: Payload) -> Self:
        """Return the session with `metadata` merged into its own, key by key."""
        return self._changed(metadata={**self.metadata, **check_payload("metadata", metadata)})

    def with_context(self, context: Payload) -> Self:
        """Return the session with `context` merged into its own, key by key."""
        return self._changed(context=check_payload("context", {**self.context, **context}))

    def with_title(self, title: str | None) -> Self:
        """Return the session with another title."""
        return self._changed(title=check_optional_name("title", title))

    @property
    def title_folded(self) -> str | None:
        """The title in the form that searches compare; databases fold ASCII letters only."""
        return None if self.title is None else self.title.casefold()

    def with_tags(self, tags: Iterable[str]) -> Self:
        """Return the session with its tags replaced by these."""
        return self._changed(tags=check_tags("tags", tags))

    def _changed(self, **fields: Any) -> Self:
        return msgspec.structs.replace(self, updated_at=utc_now(), **fields)


def check_tags(field: str, value: object) -> tuple[str, ...]:
    """Return the tags in `value` in order, without duplicates.

    Raises:
        ValidationError: `value` is a single string or not an iterable, or a tag is not a valid name.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        message = f"{field} must be an iterable of strings, not {short_repr(value)}."
        raise ValidationError(message)
    return tuple(dict.fromkeys(check_name(f"a tag of {field}", tag) for tag in value))
