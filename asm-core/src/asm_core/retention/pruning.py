"""Pruning of a session's log, or of all events, down to a number of events.

First all stretches are counted, without a lock. Then they are processed from the oldest event on, and events are
removed in batches. Several processes may prune at the same time without pruning too much: events that are missing in a
stretch since the count were pruned by another process, from the oldest one too, and count as pruned.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from asm_core.retention.groups import Groups
from asm_core.retention.policy import PROTECTED_EVENT_TYPES
from asm_core.retention.questions import PrunableSessions
from asm_core.retention.stretches import stretches
from asm_core.retention.tool_calls import TOOL_CALL_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import datetime

    from asm_core.retention.archive import Archive
    from asm_core.retention.groups import Group
    from asm_core.retention.policy import RetentionPolicy
    from asm_core.retention.questions import EventMark, Exemption, Stretch
    from asm_core.retention.store import RetentionStore


class Pruning:
    """Prunes according to one policy."""

    def __init__(
        self,
        store: RetentionStore,
        policy: RetentionPolicy,
        *,
        exempt: Exemption,
        due: datetime | None,
        archive: Archive | None,
        report: Callable[[str, int], None],
        dry_run: bool,
    ) -> None:
        """Skip exempt sessions, and sessions soft-deleted before `due`, which are removed anyway."""
        self._store = store
        self._batch_size = policy.batch_size
        self._exempt = exempt
        self._due = due
        self._archive = archive
        self._report = report
        self._dry_run = dry_run
        first = frozenset(map(str, policy.prune_event_types_first))
        calls = frozenset(map(str, TOOL_CALL_TYPES))
        # A tool call is removed with its result: any of their types includes the others.
        self._first = first | calls if first & calls else first
        self._gone: dict[str, dict[bool, int]] = {}

    def prune(self, session_id: str | None, most: int) -> int:
        """Prune the oldest events of a session, or of all sessions, down to a number; return the number pruned."""
        if session_id is not None and not self._prunable({session_id}):
            return 0
        excess, pruned = Excess(self._store, session_id, most), 0
        for first in (True, False) if self._first else (False,):
            for stretch in excess.stretches:
                if excess.left <= 0:
                    return pruned
                pruned += self._remove(self._chosen(excess, stretch, first=first))
        return pruned

    def _chosen(self, excess: Excess, stretch: Stretch, *, first: bool) -> Iterator[Group]:
        """Yield the groups of a stretch to remove: of the types that are pruned first, or of all others."""
        marks = self._store.list_events(excess.session_id, stretch)
        if not self._dry_run:
            excess.note_count(stretch, len(marks))
        prunable = self._prunable({mark.session_id for mark in marks})
        for mark in marks:
            if excess.left <= 0:
                return
            is_protected = mark.session_id not in prunable or mark.type in PROTECTED_EVENT_TYPES
            if is_protected or (mark.type in self._first) is not first or excess.is_taken(mark):
                continue
            group = excess.groups.of(mark)
            if group is not None and not self._is_gone(group, first=first):
                excess.take(group)
                if self._dry_run and excess.session_id is not None:
                    self._gone.setdefault(mark.session_id, {})[first] = group[0].sequence_number
                yield group

    def _is_gone(self, group: Group, *, first: bool) -> bool:
        """Return whether a dry run has already counted a group as pruned, when it processed the session alone."""
        last = self._gone.get(group[0].session_id, {}).get(first)
        return last is not None and group[0].sequence_number <= last

    def _remove(self, groups: Iterable[Group]) -> int:
        """Remove groups in batches; return the number of events."""
        pruned, batch = 0, list["EventMark"]()
        for group in groups:
            if batch and len(batch) + len(group) > self._batch_size:
                pruned += self._remove_batch(batch)
                batch = []
            batch += group
        return pruned + (self._remove_batch(batch) if batch else 0)

    def _remove_batch(self, marks: list[EventMark]) -> int:
        count = len(marks)
        if not self._dry_run:
            if self._archive is not None:
                self._archive.add_events(marks)
            with self._store.batch():
                prunable = self._prunable({mark.session_id for mark in marks}, hold=True)
                count = self._store.remove_events([mark for mark in marks if mark.session_id in prunable])
        self._report("events_pruned", count)
        return count

    def _prunable(self, session_ids: Collection[str], *, hold: bool = False) -> Collection[str]:
        if not session_ids:
            return ()
        query = PrunableSessions(
            exempt=self._exempt, ids=tuple(sorted(session_ids)), deleted_before=self._due, hold=hold
        )
        return set(self._store.find_prunable(query))


class Excess:
    """The counted stretches of a log, or of all events, and the number of events still to prune.

    Attributes:
        session_id: the session of the log; None for all events by age.
        stretches: the stretches in order; their counts are updated during pruning.
        left: the number of events still to prune.
        groups: finds the events that are removed together.
    """

    def __init__(self, store: RetentionStore, session_id: str | None, most: int) -> None:
        """Count all stretches; `most` is the limit of events."""
        self.session_id = session_id
        self.stretches = list(stretches(store, session_id))
        self.left = sum(stretch.count for stretch in self.stretches) - most
        self.groups = Groups(store)
        self._ends = [stretch.until for stretch in self.stretches]
        self._taken: set[tuple[str, int]] = set()

    def note_count(self, stretch: Stretch, count: int) -> None:
        """Update the count of a stretch; missing events were pruned by another process."""
        self.left -= stretch.count - count
        stretch.count = count

    def take(self, group: Group) -> None:
        """Count a group as pruned."""
        for mark in group:
            place = bisect_left(self._ends, mark.key(self.session_id))
            if place < len(self._ends):  # otherwise it was appended after the count
                self.stretches[place].count -= 1
                self.left -= 1
        if len(group) > 1:
            self._taken.update((mark.session_id, mark.sequence_number) for mark in group)
            self.groups.forget(group)

    def is_taken(self, mark: EventMark) -> bool:
        """Return whether an event belongs to an already removed call; each event is queried once."""
        key = mark.session_id, mark.sequence_number
        if key not in self._taken:
            return False
        self._taken.remove(key)
        return True
