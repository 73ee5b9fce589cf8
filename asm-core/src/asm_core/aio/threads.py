"""Threads in which calls run, and their end in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from asm_core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

T = TypeVar("T")


class Threads:
    """A fixed number of threads, which start when they are needed. Safe to share between event loops."""

    def __init__(self, count: int, running: set[Future[Any]]) -> None:
        """Run in at most `count` threads, and keep the calls under way in `running`."""
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="asm-aio")
        self._running = running

    async def call(self, work: Callable[[], T], *, context: Context | None = None, certain: bool = False) -> T:
        """Call `work` in a thread, and wait for its end in any case.

        A call that is cancelled before it begins is dropped, unless it is `certain`.
        """
        loop = running_loop()
        run = partial((copy_context() if context is None else context).run, work)
        return await result_of(self.submit(run), loop, lambda call: not certain and call.cancel())

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Call `work` in a thread.

        Raises:
            StorageError: the threads have ended.
        """
        try:
            call = self._executor.submit(work)
        except RuntimeError as error:  # it was shut down, or the interpreter ends
            raise closed() from error
        self._running.add(call)
        call.add_done_callback(self._running.discard)
        return call

    def end(self) -> None:
        """End the threads when they are idle, which takes no time."""
        self._executor.shutdown()


class Places:
    """A number of places for tasks of any event loops, in the order in which they ask."""

    def __init__(self, count: int) -> None:
        """Create places, all free."""
        self._lock = threading.Lock()
        self._free = count
        self._waiting: deque[Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a place, and take it."""
        loop = running_loop()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            place: Future[None] = Future()
            self._waiting.append(place)
        try:
            await end_of(place, loop)
        except BaseException:
            with self._lock, suppress(ValueError):
                self._waiting.remove(place)
                raise
            self.give_back()  # it was granted meanwhile
            raise

    def give_back(self) -> None:
        """Free a place."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            place = self._waiting.popleft()
        place.set_result(None)


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of this thread.

    Raises:
        StorageError: asyncio does not run here.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        message = (
            "asm_core.aio needs a running asyncio event loop, and this thread has none. Trio is not supported: call "
            "the synchronous ports there with trio.to_thread.run_sync()."
        )
        raise StorageError(message) from error


async def result_of(call: Future[T], loop: asyncio.AbstractEventLoop, gives_up: Callable[[Future[T]], bool]) -> T:
    """Return the result of a call. If this task is cancelled, raise that after the end of the call.

    At each cancellation `gives_up` is called: with True, it is raised at once.
    """
    interruption: asyncio.CancelledError | None = None
    while not call.done():
        try:
            await end_of(call, loop)
        except asyncio.CancelledError as error:
            if gives_up(call):
                raise
            interruption = error
    try:
        if interruption is not None:
            raise interruption
        return call.result()
    finally:
        del call, interruption  # their tracebacks contain this frame


def end_of(call: Future[Any], loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    """Return a future of the loop that has a result when the call has ended in any way."""
    ended = loop.create_future()
    call.add_done_callback(partial(wake, loop, ended))
    return ended


def wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: object) -> None:
    """Set the result of a future from any thread; if its loop has ended, this is a no-op."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_resolve, future, result)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def closed() -> StorageError:
    """Return the error of calls after `close`."""
    return StorageError("The backend is closed. Open it again.")
