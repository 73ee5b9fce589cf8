"""The floor's plain objects, and what its two databases share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.values.ids import new_ids
from benchmarks.contender import SESSION, payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

encode: Final = msgspec.json.Encoder().encode
encode_lines: Final = msgspec.json.Encoder().encode_lines
_WIDTH: Final = len("2026-01-02T03:04:05.000006Z")
decode: Final = msgspec.json.Decoder().decode


class PlainEvent(msgspec.Struct, gc=False):
    """An event, in the order of the columns."""

    id: str
    session_id: str
    sequence_number: int | None
    type: str
    timestamp: datetime
    run_id: str | None
    data: dict[str, Any]
    metadata: dict[str, Any]
    schema_version: int
    provider: str | None
    correlation_id: str | None


class PlainSession(msgspec.Struct):
    """A session, in the order of the columns."""

    id: str
    agent_id: str
    status: str
    parent_session_id: str | None
    metadata: dict[str, Any]
    context: dict[str, Any]
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    revision: int
    user_id: str | None
    title: str | None


def plain_events(numbers: Sequence[int], session_id: str = SESSION, *, size: int = 100) -> list[PlainEvent]:
    """Return events to append, each of its own time as those of the backends are: one more column that differs."""
    return [
        PlainEvent(
            *(id_, session_id, None, "message_streamed", datetime.now(UTC), "run_measured", payload(number, size), {}),
            *(1, None, None),
        )
        for id_, number in zip(new_ids("evt", len(numbers)), numbers, strict=True)
    ]


def encoded(payloads: list[dict[str, Any]]) -> list[str]:
    """Return many payloads as JSON text: at once, which takes two thirds of the time of one by one."""
    return encode_lines(payloads).decode().split("\n")[:-1]


def text_of_time(time: datetime) -> str:
    """Return a time as SQLite holds it; isoformat() takes ten times as long."""
    text = encode(time).decode()[1:-1]
    return text if len(text) == _WIDTH else f"{text[:-1]}.000000Z"


def texts_of_times(times: list[datetime]) -> list[str]:
    """Return many times as SQLite holds them."""
    texts: list[str] = encode(times).decode()[2:-2].split('","')
    return texts if {len(text) for text in texts} == {_WIDTH} else [text_of_time(time) for time in times]


def columns(facts: list[PlainEvent], *, times: Callable[[list[datetime]], list[Any]]) -> dict[str, list[Any]]:
    """Return events column by column, without their numbers: a third of the time of tuples."""
    return {
        "session_id": [fact.session_id for fact in facts],
        "type": [fact.type for fact in facts],
        "run_id": [fact.run_id for fact in facts],
        "metadata": encoded([fact.metadata for fact in facts]),
        "schema_version": [fact.schema_version for fact in facts],
        "provider": [fact.provider for fact in facts],
        "correlation_id": [fact.correlation_id for fact in facts],
        "id": [fact.id for fact in facts],
        "timestamp": times([fact.timestamp for fact in facts]),
        "data": encoded([fact.data for fact in facts]),
    }


def split(found: dict[str, list[Any]]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return what all events of a batch have in common, and the columns in which they differ."""
    shared = {
        name: values[0]
        for name, values in found.items()
        if values[0] == values[-1] and values.count(values[0]) == len(values)
    }
    return shared, {name: values for name, values in found.items() if name not in shared}


def numbered(fact: PlainEvent, number: int) -> PlainEvent:
    """Return an event as it is stored."""
    return PlainEvent(
        fact.id, fact.session_id, number, fact.type, fact.timestamp, fact.run_id, fact.data, fact.metadata,
        fact.schema_version, fact.provider, fact.correlation_id,
    )  # fmt: skip
