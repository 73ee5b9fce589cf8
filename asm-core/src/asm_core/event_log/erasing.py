"""Deletion and redaction of events: numbers stay used, and the old content does not remain in the store's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from asm_core.models.event import REDACTED_KEY
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from asm_core.models import Event
    from asm_core.querying.queries import EventQuery
    from asm_core.querying.reader import Reader
    from asm_core.values.payloads import Payload

BATCH: Final = 500
"""The largest number of events that one transaction deletes or redacts."""


class Erased(int):
    """The number of events, or of records of state, whose content was removed.

    Attributes:
        is_pending: whether a copy of removed content may remain in the store's files, because a reader was open or a
            transaction of the caller is. `Maintenance.finish_erasure` removes it later.
    """

    is_pending: bool

    def __new__(cls, count: int, *, is_pending: bool = False) -> Self:
        """Return a count with the state of its erasure."""
        erased = super().__new__(cls, count)
        erased.is_pending = is_pending
        return erased


def erase(batches: Iterator[int], finish: Callable[[], bool]) -> Erased:
    """Remove content batch by batch, then what remains of it in files; return the number of removed items."""
    count = sum(batches)
    return Erased(count, is_pending=count > 0 and not finish())


def deletions(reader: Reader, query: EventQuery, remove: Callable[[Sequence[Event]], int]) -> Iterator[int]:
    """Remove the events that match a query, a page at a time; yield the number of each."""
    query = msgspec.structs.replace(query, limit=BATCH)
    while events := reader.find_events(query):
        yield remove(events)
        if len(events) < BATCH:
            return
        query = msgspec.structs.replace(query, after=events[-1].sequence_number)


def redactions(ids: Sequence[str], redact: Callable[[Sequence[str], Payload], int]) -> Iterator[int]:
    """Redact events, some hundred at a time; yield the number of each."""
    mark: Payload = {REDACTED_KEY: utc_now().isoformat()}
    for start in range(0, len(ids), BATCH):
        yield redact(ids[start : start + BATCH], mark)
