"""Group commit: appends that arrive while another one is being written are committed together.

A queue writes one group at a time. An append that finds its queue free is written at once, by itself. Others wait in
the queue, and the first thread that finds it free writes all of them in one transaction. If that fails, each is written
by itself, so that each caller gets its own result or error.

An append stays in its queue until it has an outcome. So an interruption at any instant loses none: the next thread
writes it, and appending is idempotent by the id of the event.
"""

from __future__ import annotations

import _thread
import threading
import time
from collections import deque
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Final

from asm_core.concurrency.forking import renew_in_child
from asm_core.concurrency.places import LONGEST_WAIT, Place, Places
from asm_core.errors import StorageConnectionError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.models import Event, StoredEvent

    Outcome = list[StoredEvent] | Exception

LARGEST_GROUP: Final = 500
"""The number of events after which a group takes no further append."""


class PendingAppend:
    """An append that waits for its group.

    Attributes:
        events: the events to append.
        outcome: the events as stored, or the error; None: it waits.
        in_thread: whether a thread waits for it.
    """

    in_thread = True

    __slots__ = ("_latch", "_taken", "events", "outcome")

    def __init__(self, events: list[Event]) -> None:
        """Begin without an outcome."""
        self.events = events
        self.outcome: Outcome | None = None
        self._taken: dict[str, str] = {}
        self._latch = _thread.allocate_lock()
        self._latch.acquire()

    def is_taken(self) -> bool:
        """Return whether a writer takes it; False if the caller withdrew it. In one step, and it stays so."""
        return self._taken.setdefault("by", "writer") == "writer"

    def is_withdrawn(self) -> bool:
        """Return whether the caller withdraws it; False if a writer took it. In one step, and it stays so."""
        return self._taken.setdefault("by", "caller") == "caller"

    def wake(self) -> None:
        """Wake the caller: it has an outcome, or may write the next group."""
        with suppress(RuntimeError):  # it is awake
            self._latch.release()

    def wait(self, timeout: float = LONGEST_WAIT) -> bool:
        """Wait in this thread until `wake` is called; return False if it was not within the timeout."""
        return self._latch.acquire(timeout=timeout)

    def result(self) -> list[StoredEvent]:
        """Return the events as stored, or raise the error."""
        if isinstance(self.outcome, list):
            return self.outcome
        outcome, self.outcome = self.outcome, None  # the traceback will contain this frame
        raise outcome or StorageError("The append was interrupted.")


class AppendQueue:
    """A queue of appends, of which one thread writes a group at a time.

    Attributes:
        expected: the size of the group before.
        sessions: the sessions of the appends that are being written, or were just now.
        thread: the thread that writes; 0 without one.
        waiting: the appends without an outcome, in the order in which they arrived.
        waking: the appends with an outcome whose threads still sleep.
        writer: the place of the thread that writes.
    """

    __slots__ = ("expected", "sessions", "thread", "waiting", "waking", "writer")

    def __init__(self) -> None:
        """Begin empty."""
        self.sessions: frozenset[str] = frozenset()
        self.thread = 0
        self.expected = 0
        self.waiting: deque[PendingAppend] = deque()
        self.waking: deque[PendingAppend] = deque()
        self.writer = Places(1)

    def is_free(self) -> bool:
        """Return whether an append can be written at once."""
        return not (self.waking or self.writer.are_taken())

    def next_group(self) -> list[PendingAppend]:
        """Return the next appends; they stay in the queue."""
        group: list[PendingAppend] = []
        size = 0
        for append in self.waiting.copy():
            if append.outcome is not None:  # its writer was interrupted
                self.leave(append)
            elif group and size + len(append.events) > LARGEST_GROUP:
                break
            elif append.is_taken():
                size += len(append.events)
                group.append(append)
        self.expected = len(group)
        return group

    def begin(self, events: list[Event]) -> None:
        """Note what this thread is going to write."""
        self.thread = threading.get_ident()
        self.sessions = frozenset([event.session_id for event in events])

    def leave(self, append: PendingAppend) -> None:
        """Remove an append, if it is here."""
        with suppress(ValueError):
            self.waiting.remove(append)

    def end(self, place: list[Place]) -> None:
        """Free the place of the writer."""
        self.thread = 0
        self.writer.give_back(place.pop())

    def wake_next(self) -> None:
        """Wake the next caller that has an outcome; without one, the first that can write the next group.

        The caller that wakes calls this in turn. If all were woken at once, each would wait for the lock of the
        interpreter as well; so each finds the lock free, and all appended again when the last one is awake.
        """
        try:
            self.waking.popleft().wake()
        except IndexError:
            if not self.thread:
                self._wake_writer()

    def _wake_writer(self) -> None:
        try:
            self.waiting[0].wake()
        except IndexError:
            self.sessions = frozenset()


class GroupCommit:
    """The appends of a store in this process."""

    def __init__(
        self, commit: Callable[[list[Event]], list[StoredEvent]], *, queues: int, committed: Callable[[], object]
    ) -> None:
        """Begin without appends.

        Args:
            commit: appends events in a transaction of its own, all or none.
            queues: the number of groups that can be written at the same time.
            committed: called after a group is committed.
        """
        self._commit = commit
        self._count = queues
        self._committed = committed
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """Begin again in a forked child, which has none of its parent's threads."""
        self._queues = tuple(AppendQueue() for _ in range(self._count))

    def append(self, events: list[Event]) -> list[StoredEvent]:
        """Append events, all or none; wait in this thread until they are committed."""
        queue = self.queue_of(events)
        place: list[Place] = []
        try:
            # A listener of the ORM may append while its thread writes: that cannot wait for the queue.
            if queue.thread == threading.get_ident() or (
                not queue.waiting and not queue.waking and queue.writer.take(place, 0)
            ):
                if place:
                    queue.begin(events)
                return self._commit(events)
        finally:
            if place:
                queue.end(place)
                queue.wake_next()
        append = PendingAppend(events)
        try:
            queue.waiting.append(append)
            if queue.thread or queue.waking:
                append.wait()
            while append.outcome is None:
                if not self.write(queue, append):
                    append.wait()
        finally:
            if append.outcome is None:
                append.is_withdrawn()
                queue.leave(append)
            queue.wake_next()
        return append.result()

    def queue_of(self, events: list[Event]) -> AppendQueue:
        """Return the queue that writes to the same session, or a free one, or the one in which the session waits.

        Appends to different sessions are written side by side while there are connections for them.
        """
        session_id = events[0].session_id
        free: AppendQueue | None = None
        for queue in self._queues:
            if session_id in queue.sessions:
                return queue
            if free is None and queue.is_free():
                free = queue
        return self._queues[hash(session_id) % len(self._queues)] if free is None else free

    def write(self, queue: AppendQueue, own: PendingAppend | None = None) -> bool:
        """Write the next group of a queue; return False if another thread is writing one.

        The caller, whose append is `own`, calls `AppendQueue.wake_next` after it.
        """
        place: list[Place] = []
        try:
            if queue.writer.take(place, 0):
                self._write_group(queue, own)
                return True
            return False
        finally:
            if place:
                queue.end(place)

    def _write_group(self, queue: AppendQueue, own: PendingAppend | None) -> None:
        if len(queue.waiting) < queue.expected:
            time.sleep(0)  # callers of the group before run now, and append again
        group = queue.next_group()
        if not group:
            return
        events = [event for append in group for event in append.events]
        queue.begin(events)
        for append, outcome in zip(group, self._outcomes(group, events), strict=True):
            append.outcome = outcome
            queue.leave(append)
            if append.in_thread and append is not own:
                queue.waking.append(append)
            else:
                append.wake()

    def _outcomes(self, group: list[PendingAppend], events: list[Event]) -> list[Outcome]:
        """Commit a group; if that fails, commit each append by itself."""
        try:
            stored = self._commit(events)
        except StorageConnectionError as error:
            # The database cannot be reached or is busy: each would wait as long in vain.
            return [_copied(error) for _ in group]
        except Exception as error:  # noqa: BLE001  raised in the caller's thread
            return [error] if len(group) == 1 else [self._alone(append) for append in group]
        self._committed()
        rest = iter(stored)
        return [[next(rest) for _ in append.events] for append in group]

    def _alone(self, append: PendingAppend) -> Outcome:
        try:
            stored = self._commit(append.events)
        except Exception as error:  # noqa: BLE001  raised in the caller's thread
            return error
        self._committed()
        return stored


def _copied(error: StorageConnectionError) -> StorageConnectionError:
    """Return an error for another thread: raising one in several threads mixes their tracebacks."""
    found = copy(error)
    found.__cause__ = error.__cause__
    return found
