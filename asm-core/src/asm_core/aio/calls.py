"""Calls of a backend from any number of event loops, in threads of the backend's own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asm_core.aio.appends import Appends
from asm_core.aio.threads import Places, Threads, closed, end_of, running_loop, wake
from asm_core.concurrency.forking import renew_in_child
from asm_core.concurrency.threads import begin_thread
from asm_core.concurrency.transactions import is_in_transaction
from asm_core.errors import AsmError, StorageError
from asm_core.event_log.batches import check_new_events
from asm_core.event_log.group_commit import LARGEST_GROUP
from asm_core.event_log.steps import Suspended, suspending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from asm_core.models import Event, StoredEvent
    from asm_core.ports import SessionStore
    from asm_core.querying.heads import Head

T = TypeVar("T")

_BLINK: Final = 0.005
"""Seconds between two looks at appends that another thread writes."""

entered: Final[ContextVar[tuple[Lane, ...]]] = ContextVar("asm_aio_transactions", default=())
"""The transactions that this context entered or inherited."""


class Calls:
    """Runs calls in a fixed number of threads, and each transaction in a thread of its own.

    A cancelled call has not begun, or has ended before the cancellation is raised. So a write is whole or undone.
    """

    def __init__(self, threads: int) -> None:
        """Run at most this many calls, and this many transactions, at the same time."""
        self._count = threads
        self._closed = False
        self.after_fork()
        renew_in_child(self)

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a function of a port in a thread. If it waits for events, the thread is free meanwhile.

        Raises:
            StorageError: the backend is closed, or a transaction is open in this context.
        """
        self.check_open()
        return await self.in_steps(self.in_thread, partial(function, *args, **kwargs))

    async def append(self, store: SessionStore, events: Iterable[Event]) -> list[StoredEvent]:
        """Append events as `SessionStore.append_events` does; a thread writes those of many tasks together.

        Raises:
            StorageError: the backend is closed, or a transaction is open in this context.
        """
        group_commit = store.group_commit
        is_small = isinstance(events, list | tuple) and len(events) <= LARGEST_GROUP
        if group_commit is None or not is_small or is_in_transaction():
            return await self.run(store.append_events, events)
        self.check_open()
        checked = check_new_events(events)
        return await self._appends.append(group_commit, checked) if checked else []

    async def in_steps(self, call: Callable[[Callable[[], Any]], Awaitable[Any]], function: partial[T]) -> T:
        """Call a function with `call`; if it waits for events, wait here, and then call the rest of it."""
        found: T | Suspended[T] = await call(partial(suspending, function.func, *function.args, **function.keywords))
        while isinstance(found, Suspended):
            found = await call(partial(found.resume, await self._woken(found)))
        return found

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Call `work` in a thread, also while the backend is closed."""
        return await self._threads.call(work)

    def in_new_thread(self, work: Callable[[], T]) -> Future[T]:
        """Call `work`, which takes long, in a thread of its own; `finish` waits for it.

        Raises:
            StorageError: the backend is closed, a transaction is open in this context, or no thread can be started.
        """
        self.check_open()
        call: Future[T] = Future()
        self._running.add(call)
        call.add_done_callback(self._running.discard)
        try:
            work = partial(copy_context().run, work)
            begin_thread(threading.Thread(target=_fulfil, args=(call, work), name="asm-aio-run", daemon=True), "run")
        except BaseException:
            self._running.discard(call)
            raise
        return call

    async def open_lane(self) -> Lane:
        """Wait for a thread for one transaction."""
        self.check_open()
        await self._places.take()
        ended: Future[None] = Future()
        self._running.add(ended)  # `finish` waits for it
        ended.add_done_callback(self._running.discard)
        return Lane(self, self._idle.pop() if self._idle else Threads(1, self._running), ended)

    def close_lane(self, lane: Lane) -> None:
        """Take a thread back, after the transaction's last call."""
        lane.is_over = True
        self._idle.append(lane.threads)
        self._places.give_back()
        lane.ended.set_result(None)

    def check_open(self) -> None:
        """Reject calls after `close`, and calls that do not belong to the transaction of this context.

        Raises:
            StorageError: the backend is closed, or a transaction is open in this context.
        """
        if self._closed:
            raise closed()
        if any(lane.calls is self and not lane.is_over for lane in entered.get()):
            message = (
                "A transaction is open in this context, and the backend's own ports do not join it. Use the ports that "
                "transaction() or bind() yielded."
            )
            raise StorageError(message)

    async def finish(self, timeout: float) -> None:  # noqa: ASYNC109  what it waits for is not cancelled with it
        """Reject further calls, end waits for events, and wait for the calls and transactions under way.

        Raises:
            StorageError: some are still under way after `timeout` seconds. They continue in their threads.
        """
        loop = running_loop()
        self._closed = True
        for end in list(self._waits):
            end(closed())
        deadline = loop.time() + timeout
        while count := len(self._running) + len(self._appends.pending):
            left = deadline - loop.time()
            if left <= 0:
                message = f"{count} calls are still under way after {timeout:g} seconds. "
                raise StorageError(message + "They continue in their threads. Call close() again to wait for them.")
            running = [end_of(call, loop) for call in list(self._running)]
            if self._appends.pending:  # a thread of the application may write them
                running.append(loop.create_future())
            await asyncio.wait(running, timeout=min(left, _BLINK) if self._appends.pending else left)

    def end(self) -> None:
        """End the threads, after `finish`."""
        for threads in (self._threads, *self._idle):
            threads.end()

    def after_fork(self) -> None:
        """Begin again in a forked child, which has none of its parent's threads."""
        self._running: set[Future[Any]] = set()
        self._threads = Threads(self._count, self._running)
        self._appends = Appends(self._threads)
        self._idle: list[Threads] = []
        self._places = Places(self._count)
        self._waits: set[Callable[[Head | AsmError | None], object]] = set()

    async def _woken(self, read: Suspended[Any]) -> Head | None:
        """Wait for the pause of a read; return what `Watcher.wait` would return."""
        loop = running_loop()
        woken = loop.create_future()
        end = partial(wake, loop, woken)
        session_id, known, timeout = read.pause
        self._waits.add(end)
        try:
            if self._closed:
                raise closed()
            leave = read.watcher.watch(session_id, known, end)
            try:
                async with asyncio.timeout(timeout):
                    found: Head | AsmError | None = await woken
            except TimeoutError:
                found = None
            finally:
                leave()
        finally:
            self._waits.discard(end)
        if isinstance(found, AsmError):
            raise found
        return found


class Lane:
    """The thread of one transaction: its calls run there one at a time, in order, in one context.

    Attributes:
        calls: the calls of the backend.
        threads: the thread.
        ended: gets its result when the transaction has ended.
        is_over: whether the transaction has ended.
    """

    def __init__(self, calls: Calls, threads: Threads, ended: Future[None]) -> None:
        """Run in `threads`, which is one thread."""
        self.calls = calls
        self.threads = threads
        self.ended = ended
        self.is_over = False
        self._context = copy_context()

    async def call(self, work: Callable[[], T], *, certain: bool = False) -> T:
        """Call `work` in the thread."""
        return await self.threads.call(work, context=self._context, certain=certain)


def _fulfil(call: Future[T], work: Callable[[], T]) -> None:
    try:
        call.set_result(work())
    except BaseException as error:  # noqa: BLE001  raised where the caller waits
        call.set_exception(error)
