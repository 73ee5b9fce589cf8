"""Checking a batch field by field must find what checking each event finds."""

import enum
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asm_core.errors import ValidationError
from asm_core.event_log.batches import check_new_events
from asm_core.models import Event, EventType

BATCH = 20


class Colour(enum.StrEnum):
    RED = "red"


class Unhashable(tzinfo):
    """A zone as some libraries have them: equal to UTC, and without a hash."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return other is UTC or isinstance(other, Unhashable)

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)


def events() -> list[Event]:
    return [Event.new(type="message_streamed", session_id="s", data={"number": number}) for number in range(BATCH)]


def with_odd_one(field: str, value: Any) -> list[Any]:
    batch = events()
    batch[BATCH // 2] = msgspec.structs.replace(batch[BATCH // 2], **{field: value})
    return batch


def nested(levels: int) -> dict[str, Any]:
    return {"deeper": nested(levels - 1)} if levels else {}


ODD = [
    *[
        (field, value)
        for field in ("id", "session_id")
        for value in (None, "", "\0", "x" * 513, "é" * 256, "é" * 257, 5, [])
    ],
    *[
        (field, value)
        for field in ("run_id", "provider", "correlation_id")
        for value in ("", "a\0b", "\ud800", "ü", 5, {})
    ],
    *[("schema_version", value) for value in (True, 0, -1, 1 << 63, (1 << 63) - 1, 2.0, "1", None)],
    *[("sequence_number", value) for value in (1, 0, "1")],
    *[("type", value) for value in ("message_sent", "nonsense", None, EventType.RUN_FAILED)],
    *[
        ("timestamp", value)
        for value in (
            datetime(2026, 1, 1),  # noqa: DTZ001  naive on purpose
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 1, tzinfo=Unhashable()),
            "2026-01-01T00:00:00Z",
        )
    ],
    *[
        (field, value)
        for field in ("data", "metadata")
        for value in (
            {"a": (1, 2)},
            {"a": Colour.RED},
            {"a": float("nan")},
            {"a": 1e400},
            {"a": b"x"},
            {"a": "\ud800"},
            {"a": "\n\r\u2028\0"},
            {"a": 1 << 70},
            {1: 2},
            {"a": datetime(2026, 1, 1, tzinfo=UTC)},
            nested(199),
            nested(200),
            [],
            None,
            "text",
        )
    ],
]


def outcome(batch: list[Any], *, together: bool) -> Any:
    try:
        checked = check_new_events(batch) if together else [check_new_events([event])[0] for event in batch]
    except ValidationError as error:
        return type(error), error.message
    return [(event, event.timestamp.tzinfo, repr(event.data), repr(event.metadata)) for event in checked]


@pytest.mark.parametrize(("field", "value"), ODD)
def test_a_batch_with_an_odd_event_is_checked_as_each_of_its_events_is(field: str, value: object) -> None:
    batch = with_odd_one(field, value)
    assert outcome(batch, together=True) == outcome(batch, together=False)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
            max_leaves=4,  # a batch has many, and only so much can be drawn
        ),
        min_size=BATCH,
        max_size=BATCH,
    )
)
def test_payloads_of_a_batch_are_checked_as_each_is(values: list[object]) -> None:
    batch = [msgspec.structs.replace(event, data={"a": value}) for event, value in zip(events(), values, strict=True)]
    assert outcome(batch, together=True) == outcome(batch, together=False)


def test_what_is_no_event_is_refused_in_a_batch() -> None:
    with pytest.raises(ValidationError, match="Expected an Event"):
        check_new_events([*events(), "no event"])


def test_a_checked_batch_shares_no_payload_with_what_was_given() -> None:
    batch = events()
    checked = check_new_events(batch)
    batch[0].data["number"] = "changed"
    batch[0].metadata["more"] = 1
    assert (checked[0].data, checked[0].metadata) == ({"number": 0}, {})
