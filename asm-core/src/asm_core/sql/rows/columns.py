"""Events as columns, the form of an append: encoding takes a fifth of the time of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.event_log.batches import CheckedEvents, columns_of
from asm_core.values.payloads import encode_json, encode_payloads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.event_log.batches import Columns
    from asm_core.models import Event

FEW: Final = 16
"""The number of rows up to which a batch is usually a group of single appends."""
_WIDTH: Final = len("2026-01-02T03:04:05.000006Z")


def text_of_time(time: datetime) -> str:
    """Format a time in UTC with fixed width, so that text sorts like time: 2026-01-02T03:04:05.000006Z."""
    # Takes a tenth of the time of isoformat(). Whole seconds have no fraction.
    text = encode_json(time).decode()[1:-1]
    return text if len(text) == _WIDTH else f"{text[:-1]}.000000Z"


def second_of_text(times: Sequence[str]) -> str:
    """Return the latest of texts of times, without its fraction of a second."""
    return f"{max(times)[:19]}.000000Z"


def event_columns(events: Sequence[Event]) -> Columns:
    """Return the column values of checked events, without numbers; times are text on any database."""
    columns = events.columns if type(events) is CheckedEvents else None
    if columns is None:
        columns = columns_of(events)
        columns["data"] = encode_payloads(columns["data"])
        columns["metadata"] = encode_payloads(columns["metadata"])
    return {
        "id": columns["id"],
        "session_id": columns["session_id"],
        "type": list(map(str, columns["type"])),
        "timestamp": _texts_of_times(columns["timestamp"]),
        "run_id": columns["run_id"],
        "data": columns["data"],
        "metadata": columns["metadata"],
        "schema_version": columns["schema_version"],
        "provider": columns["provider"],
        "correlation_id": columns["correlation_id"],
    }


def split_columns(columns: Columns, *, of_few: tuple[str, ...] = ()) -> tuple[dict[str, Any], Columns]:
    """Return the values that all rows share, by column, and the columns in which rows differ; each row has an id.

    Of few rows only the columns `of_few` count as shared, so that groups of appends need few different statements.
    """
    candidates = of_few if len(columns["id"]) <= FEW else columns.keys() - {"id"}
    shared = {
        name: values[0]
        for name, values in columns.items()
        if name in candidates and values[0] == values[-1] and values.count(values[0]) == len(values)
    }
    return shared, {name: values for name, values in columns.items() if name not in shared}


def _texts_of_times(times: Sequence[datetime]) -> list[str]:
    """Format many times together, in a third of the time."""
    texts = encode_json(times).decode()[2:-2].split('","')
    return texts if set(map(len, texts)) <= {_WIDTH} else [text_of_time(time) for time in times]
