"""Appends of tasks, which threads write in groups: a task takes no thread while it waits."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from asm_core.aio.threads import running_loop
from asm_core.event_log.group_commit import PendingAppend

if TYPE_CHECKING:
    from asm_core.aio.threads import Threads
    from asm_core.event_log.group_commit import AppendQueue, GroupCommit
    from asm_core.models import Event, StoredEvent


class Appends:
    """The appends of tasks of any event loops that wait for their groups.

    Attributes:
        pending: those without an outcome.
    """

    def __init__(self, threads: Threads) -> None:
        """Write in `threads`."""
        self.pending: set[PendingAppend] = set()
        self._threads = threads
        self._outcomes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outcomes] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._served: set[AppendQueue] = set()

    async def append(self, group_commit: GroupCommit, events: list[Event]) -> list[StoredEvent]:
        """Append checked events, all or none. A cancelled append has not begun, or is awaited."""
        queue = group_commit.queue_of(events)
        serve = partial(self._serve, group_commit, queue)
        loop = running_loop()
        append = TaskAppend(events, loop.create_future(), self._outcomes_of(loop), serve)
        self.pending.add(append)
        try:
            queue.waiting.append(append)
            serve()
            await _ended(append)
        finally:
            queue.leave(append)
            self.pending.discard(append)
        return append.result()

    def _outcomes_of(self, loop: asyncio.AbstractEventLoop) -> Outcomes:
        with self._lock:
            found = self._outcomes.get(loop)
            if found is None:
                found = self._outcomes[loop] = Outcomes(loop)
            return found

    def _serve(self, group_commit: GroupCommit, queue: AppendQueue) -> None:
        """Let a thread write the queue's groups, unless one does."""
        if queue not in self._served:
            self._served.add(queue)
            try:
                self._threads.submit(partial(self._write_all, group_commit, queue))
            except BaseException:
                self._served.discard(queue)
                raise

    def _write_all(self, group_commit: GroupCommit, queue: AppendQueue) -> None:
        try:
            while queue.waiting and group_commit.write(queue):
                queue.wake_next()
        finally:
            self._served.discard(queue)
            # One that arrived just now relied on this thread. If another thread writes, it wakes the next caller.
            if queue.waiting and not queue.thread:
                self._serve(group_commit, queue)


class TaskAppend(PendingAppend):
    """An append of a task.

    Attributes:
        ended: a future of the task's loop, which has a result when there is an outcome.
    """

    in_thread = False

    __slots__ = ("_outcomes", "_serve", "ended")

    def __init__(
        self, events: list[Event], ended: asyncio.Future[None], outcomes: Outcomes, serve: partial[None]
    ) -> None:
        """Get the outcome through `outcomes`; `serve` lets a thread write the group."""
        super().__init__(events)
        self.ended = ended
        self._outcomes = outcomes
        self._serve = serve

    def wake(self) -> None:
        """Wake the task if there is an outcome; else let a thread write."""
        if self.outcome is None:
            self._serve()
        else:
            self._outcomes.put(self)


class Outcomes:
    """The appends of one event loop that have outcomes: a loop is woken once for those of a group."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake tasks of `loop`."""
        self._loop = ref(loop)
        self._ended: deque[TaskAppend] = deque()
        self._is_woken = False

    def put(self, append: TaskAppend) -> None:
        """Wake the task of an append, from any thread; if its loop has ended, this is a no-op."""
        self._ended.append(append)
        if not self._is_woken:
            self._is_woken = True
            loop = self._loop()
            if loop is not None:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_woken = False
        while self._ended:
            ended = self._ended.popleft().ended
            if not ended.done():
                ended.set_result(None)


async def _ended(append: TaskAppend) -> None:
    """Wait until there is an outcome, also while the task is cancelled, unless the append can be withdrawn."""
    interruption: asyncio.CancelledError | None = None
    while append.outcome is None:
        try:
            await asyncio.shield(append.ended)
        except asyncio.CancelledError as error:
            if append.is_withdrawn():
                raise
            interruption = error
    try:
        if interruption is not None:
            raise interruption
    finally:
        del interruption  # its traceback contains this frame
