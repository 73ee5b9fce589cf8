"""Redaction of a log that is stored already: each event keeps its id and its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.models import EventType
from asm_core.redaction.recorded import ENDS_TEXT, counted, is_delta, stream_of, text_of, with_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asm_core.models import StoredEvent
    from asm_core.redaction.recorded import Redaction
    from asm_core.redaction.redactor import RedactedStream

    Key = tuple[str | None, bytes]

_ENDS: Final = ENDS_TEXT | {
    EventType.RUN_COMPLETED,
    EventType.RUN_FAILED,
    EventType.RUN_CANCELLED,
    EventType.RUN_TIMEOUT,
}
"""The types of events with which the texts of a run end."""


def redacted_log(redaction: Redaction, read: Callable[[], Iterable[StoredEvent]]) -> Iterator[StoredEvent]:
    """Yield the events of a session without secrets, also without those that are split over streamed deltas.

    A delta that may end inside of a secret is shortened, and its rest is in the next delta of the text. The rest of a
    text is in its last delta, which a first reading finds. So no number is added or lost.

    Args:
        redaction: redacts them.
        read: reads the log; called twice, for the same events.
    """
    if redaction.redactor is None:
        yield from read()
        return
    first = _Pass(redaction, frozenset())
    for event in read():
        if is_delta(event):
            first.take(event)
        elif event.type in _ENDS:
            first.end(event.run_id)
    first.end()
    second = _Pass(redaction, frozenset(first.last))
    for event in read():
        yield second.take(event)


class _Pass:
    """One reading of a log.

    Attributes:
        last: the numbers of the deltas that end a text of which a rest was held back.
    """

    def __init__(self, redaction: Redaction, ends: frozenset[int | None]) -> None:
        """Redact a log in which the deltas `ends` get the rest of their texts."""
        self._redaction = redaction
        self._ends = ends
        self._texts: dict[Key, tuple[RedactedStream, int | None]] = {}
        self.last: set[int | None] = set()

    def take(self, event: StoredEvent) -> StoredEvent:
        """Return an event without secrets."""
        if is_delta(event):
            return self._delta(event)
        if event.type in _ENDS:
            self.end(event.run_id)
        return self._redaction.event(event)  # type: ignore[return-value]  # it keeps its number

    def end(self, *run_ids: str | None) -> None:
        """End the texts of a run; without one, all."""
        for key in [key for key in self._texts if not run_ids or key[0] in run_ids]:
            stream, number = self._texts.pop(key)
            if stream.end():
                self.last.add(number)

    def _delta(self, event: StoredEvent) -> StoredEvent:
        key = (event.run_id, stream_of(event))
        known = self._texts.get(key)
        stream = self._redaction.redactor.stream() if known is None else known[0]  # type: ignore[union-attr]  # checked
        text = stream.feed(text_of(event.data))
        if event.sequence_number in self._ends:
            text += stream.end()
            self._texts.pop(key, None)
        else:
            self._texts[key] = (stream, event.sequence_number)
        others = self._redaction.event(msgspec.structs.replace(event, data=with_text(event.data, "")))
        metadata = counted(others.metadata, stream.taken())
        return msgspec.structs.replace(event, data=with_text(others.data, text), metadata=metadata)
