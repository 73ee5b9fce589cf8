"""Events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final, Self

import msgspec

from asm_core.models.base import Model, check_natural
from asm_core.models.statuses import EventType, check_event_type, check_new_type
from asm_core.values.ids import check_name, check_optional_name, new_id
from asm_core.values.payloads import Payload, check_payload, encode_sorted
from asm_core.values.times import check_time, utc_now

REDACTED_KEY: Final = "asm_redacted"
"""The metadata key of a redacted event; its value is the time of the redaction."""


class Event(Model, frozen=True, kw_only=True, gc=False):
    """An immutable fact in a session's append-only log.

    Attributes:
        id: ``evt_`` and 32 hex digits, or an id that the caller chose. Appending is idempotent by id.
        type: a member of `EventType`, or a custom type: a string with a dot, such as ``acme.thinking``.
        timestamp: the time of the event, by the clock of its recorder. The log is ordered by number, not by time.
        session_id: the session whose log contains it.
        run_id: the run it belongs to; the run need not be stored.
        sequence_number: its number in the session's log: 1, 2, 3, …; None until it is appended.
        data: the content of the event.
        metadata: any data of the application.
        schema_version: the version of the shape of `data`, for the application.
        provider: the name of the provider that caused it.
        correlation_id: an id shared with related events of other systems.
    """

    id: str
    type: str
    timestamp: datetime
    session_id: str
    run_id: str | None = None
    sequence_number: int | None = None
    data: Payload = msgspec.field(default_factory=dict)
    metadata: Payload = msgspec.field(default_factory=dict)
    schema_version: int = 1
    provider: str | None = None
    correlation_id: str | None = None

    named: ClassVar[Mapping[str, Callable[[object], object]]] = {"type": check_event_type}

    @classmethod
    def new(
        cls,
        *,
        type: EventType | str,  # noqa: A002  the field's name
        session_id: str,
        id: str | None = None,  # noqa: A002  the field's name
        timestamp: datetime | None = None,
        run_id: str | None = None,
        data: Payload | None = None,
        metadata: Payload | None = None,
        schema_version: int = 1,
        provider: str | None = None,
        correlation_id: str | None = None,
    ) -> Self:
        """Return a new event, not yet appended, with defaults for all fields that are not given.

        Raises:
            InvalidEventTypeError: unknown event type without a dot, or a type that begins with ``asm.``.
            ValidationError: a field has an invalid value.
        """
        return cls(
            id=new_id("evt") if id is None else id,
            type=check_new_type(type),
            timestamp=utc_now() if timestamp is None else timestamp,
            session_id=session_id,
            run_id=run_id,
            data={} if data is None else data,
            metadata={} if metadata is None else metadata,
            schema_version=schema_version,
            provider=provider,
            correlation_id=correlation_id,
        ).checked()

    def checked(self) -> Self:
        """Return an equal event with each field checked and normalised."""
        number = self.sequence_number
        return type(self)(
            id=check_name("id", self.id),
            type=check_event_type(self.type),
            timestamp=check_time("timestamp", self.timestamp),
            session_id=check_name("session_id", self.session_id),
            run_id=check_optional_name("run_id", self.run_id),
            sequence_number=None if number is None else check_natural("sequence_number", number, least=1),
            data=check_payload("data", self.data),
            metadata=check_payload("metadata", self.metadata),
            schema_version=check_natural("schema_version", self.schema_version, least=1),
            provider=check_optional_name("provider", self.provider),
            correlation_id=check_optional_name("correlation_id", self.correlation_id),
        )

    def numbered(self, sequence_number: int) -> StoredEvent:
        """Return the event with this sequence number."""
        return msgspec.structs.replace(self, sequence_number=sequence_number)  # type: ignore[return-value]

    def same_fact(self, other: Event) -> bool:
        """Return whether both events have the same session, run, type and data; of a redacted one, without data."""
        is_redacted = REDACTED_KEY in self.metadata or REDACTED_KEY in other.metadata
        return (
            self.session_id == other.session_id
            and self.run_id == other.run_id
            and self.type == other.type
            # In Python 1, 1.0 and True are equal; in JSON they are not.
            and (is_redacted or (self.data == other.data and encode_sorted(self.data) == encode_sorted(other.data)))
        )


if TYPE_CHECKING:

    class StoredEvent(Event, frozen=True, kw_only=True, gc=False):
        """An event that a store returned: `sequence_number` is an int."""

        sequence_number: int

else:
    # A class of its own would make what was built unequal to what is read.
    StoredEvent = Event
