"""Matching of tool calls and their results in the log of one session."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from asm_core.models import EventType
from asm_core.retention.questions import EventMark
from asm_core.retention.stretches import pages_of_events

if TYPE_CHECKING:
    from asm_core.models import Event
    from asm_core.retention.store import RetentionStore

TOOL_CALL_TYPES: Final = (
    EventType.TOOL_CALL_STARTED,
    EventType.TOOL_CALL_COMPLETED,
    EventType.TOOL_CALL_FAILED,
)
_ID: Final = "tool_call_id"


class ToolCalls:
    """Matches results with calls, in the order of their numbers, and reads the log only as far as needed.

    A result belongs to the oldest call before it without a result, in the same run and with the same ``tool_call_id``
    in its data; a call without an id matches a result without one. So overlapping calls without ids are assumed to end
    in the order in which they began.
    """

    def __init__(self, store: RetentionStore, session_id: str) -> None:
        """Start at the beginning of the log."""
        self._store = store
        self._session_id = session_id
        self._partners: dict[int, EventMark] = {}
        self._open: dict[tuple[str | None, str | int | None], deque[EventMark]] = {}
        self._seen: tuple[int, ...] | None = None
        self._is_over = False
        self._ended: set[str] = set()

    def partner_of(self, mark: EventMark) -> EventMark | None:
        """Return the result of a call, or the call of a result; None if there is none so far."""
        number = mark.sequence_number
        while number not in self._partners and not self._is_over and not self._is_orphan(mark):
            self._go_on()
        return self._partners.get(number)

    def look_again(self, mark: EventMark) -> EventMark | None:
        """Work like `partner_of`, for events that may have been appended after it found none.

        The run of `mark` has ended: the rest of the log is read once for all of its calls.
        """
        if mark.run_id not in self._ended:
            self._is_over = False
            if mark.run_id is not None:
                self._ended.add(mark.run_id)
        return self.partner_of(mark)

    def forget(self, mark: EventMark) -> None:
        """Release an event of a processed call."""
        self._partners.pop(mark.sequence_number, None)

    def _is_orphan(self, mark: EventMark) -> bool:
        """Return whether a result without a call was passed."""
        is_passed = self._seen is not None and mark.sequence_number <= self._seen[0]
        return is_passed and mark.type != EventType.TOOL_CALL_STARTED

    def _go_on(self) -> None:
        stretch = self._store.next_stretch(self._session_id, self._seen)
        if stretch is None:
            self._is_over = True
            return
        for events in pages_of_events(self._store, self._session_id, stretch, TOOL_CALL_TYPES):
            for event in events:
                self._match(event)
        self._seen = stretch.until

    def _match(self, event: Event) -> None:
        mark, call = EventMark.of(event), event.data.get(_ID)
        key = (event.run_id, call if isinstance(call, str | int) else None)
        if event.type is EventType.TOOL_CALL_STARTED:
            self._open.setdefault(key, deque()).append(mark)
            return
        starts = self._open.get(key)
        if starts:
            start = starts.popleft()
            if not starts:
                del self._open[key]
            self._partners[start.sequence_number], self._partners[mark.sequence_number] = mark, start
