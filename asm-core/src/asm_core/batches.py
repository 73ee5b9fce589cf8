"""Checking the events of a batch together: field by field instead of event by event takes a quarter of the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from asm_core.errors import ValidationError, shown
from asm_core.ids import are_plain
from asm_core.models import Event, EventType
from asm_core.models.base import MAX_INTEGER
from asm_core.payloads import copy_payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FEW: Final = 8
"""Up to so many events are checked faster one by one."""


class CheckedEvents(list[Event]):
    """Events to append that were checked, and that nobody changes any more: the store does not check them again."""


def check_new_events(given: Iterable[Any]) -> CheckedEvents:
    """Return copies of events to append, each field checked and in its normal shape.

    Raises:
        ValidationError: one is no event, bears a number already, or has a value that cannot be kept.
    """
    if type(given) is CheckedEvents:
        return given
    events = list(given)
    if len(events) > _FEW and _fields_are_normal(events):
        data = copy_payloads([event.data for event in events])
        metadata = copy_payloads([event.metadata for event in events])
        if data is not None and metadata is not None:
            pairs = zip(data, metadata, strict=True)
            return CheckedEvents(
                replace(event, data=d, metadata=m) for event, (d, m) in zip(events, pairs, strict=True)
            )
    return CheckedEvents(_check_new(event) for event in events)


def _fields_are_normal(events: Sequence[Any]) -> bool:
    """Return whether no field but the payloads needs a change, or a closer look."""
    if set(map(type, events)) != {Event}:
        return False
    try:
        # A batch has many ids, and few different values of all else.
        sessions = {event.session_id for event in events}
        others = {event.run_id for event in events} | {event.provider for event in events}
        others |= {event.correlation_id for event in events}
        versions = {event.schema_version for event in events}
        numbers = {event.sequence_number for event in events}
    except TypeError:
        return False  # not hashable, so no name either
    return (
        numbers == {None}
        and are_plain([event.id for event in events])
        and are_plain(sessions)
        and are_plain(others - {None})
        and {type(event.type) for event in events} == {EventType}
        and {type(event.schema_version) for event in events} == {int}
        and min(versions) >= 1
        and max(versions) <= MAX_INTEGER
        and {type(event.timestamp) for event in events} == {datetime}
        and {id(event.timestamp.tzinfo) for event in events} == {id(UTC)}
    )


def _check_new(event: object) -> Event:
    if not isinstance(event, Event):
        message = f"This takes an Event, not {shown(event)}."
        raise ValidationError(message)
    checked = event.checked()
    if checked.sequence_number is not None:
        message = (
            f"Event {checked.id} already bears the number {checked.sequence_number}; append one without, as "
            "Event.new makes it, or use restore_session to copy a log."
        )
        raise ValidationError(message)
    return checked
