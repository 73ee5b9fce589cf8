"""What is too much of a log, or of the events of all, while it is pruned."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from asm_core.retention.groups import Groups
from asm_core.retention.stretches import stretches

if TYPE_CHECKING:
    from asm_core.retention.groups import Group
    from asm_core.retention.questions import EventMark, Stretch
    from asm_core.retention.store import RetentionStore


class Excess:
    """The stretches of a log, or of the events of all, as they were counted, and how many events are still too many.

    Attributes:
        session_id: whose log; None for the events of all, by age.
        stretches: in order. The count of each follows what is pruned of it.
        left: how many events are to be pruned yet.
        groups: what goes together.
    """

    def __init__(self, store: RetentionStore, session_id: str | None, most: int) -> None:
        """Count all stretches; more than `most` events are too many."""
        self.session_id = session_id
        self.stretches = list(stretches(store, session_id))
        self.left = sum(stretch.count for stretch in self.stretches) - most
        self.groups = Groups(store)
        self._ends = [stretch.until for stretch in self.stretches]
        self._taken: set[tuple[str, int]] = set()

    def note_count(self, stretch: Stretch, count: int) -> None:
        """Note how many events a stretch has now; what is missing has been pruned by another process."""
        self.left -= stretch.count - count
        stretch.count = count

    def take(self, group: Group) -> None:
        """Note that a group is pruned."""
        for mark in group:
            place = bisect_left(self._ends, mark.key(self.session_id))
            if place < len(self._ends):  # or it was appended after the count, and is none of those too many
                self.stretches[place].count -= 1
                self.left -= 1
        if len(group) > 1:
            self._taken.update((mark.session_id, mark.sequence_number) for mark in group)
            self.groups.forget(group)

    def is_taken(self, mark: EventMark) -> bool:
        """Return whether an event is one of a call that was taken already; it is asked about once."""
        key = mark.session_id, mark.sequence_number
        if key not in self._taken:
            return False
        self._taken.remove(key)
        return True
