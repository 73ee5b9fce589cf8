"""Calls of a backend from any number of event loops, in threads of the backend's own."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from asm_core.concurrency.forking import renew_in_child
from asm_core.errors import AsmError, StorageError
from asm_core.event_log.steps import Suspended, suspending

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.querying.heads import Head

T = TypeVar("T")


class Calls:
    """Runs calls in a fixed number of threads, which start when they are needed. Safe to share between event loops.

    A cancelled call has not begun, or has ended before the cancellation is raised. So a write is whole or undone.
    """

    def __init__(self, threads: int) -> None:
        """Run calls in at most this many threads."""
        self._threads = threads
        self._closed = False
        self.after_fork()
        renew_in_child(self)

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a function of a port in a thread. If it waits for events, the thread is free meanwhile."""
        self.check_open()
        found: T | Suspended[T] = await self.in_thread(suspending, function, *args, **kwargs)
        while isinstance(found, Suspended):
            found = await self.in_thread(found.resume, await self._woken(found))
        return found

    async def in_thread(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a function in a thread, also while the backend is closed, and wait for its end in any case."""
        loop = running_loop()
        call = self._submit(partial(copy_context().run, function, *args, **kwargs))
        interruption: asyncio.CancelledError | None = None
        while not call.done():
            try:
                await _end_of(call, loop)
            except asyncio.CancelledError as error:
                if call.cancel():
                    raise
                interruption = error
        try:
            if interruption is not None:
                raise interruption
            return call.result()
        finally:
            del call, interruption  # their tracebacks contain this frame

    def check_open(self) -> None:
        """Reject calls after `close`.

        Raises:
            StorageError: the backend is closed.
        """
        if self._closed:
            raise _closed()

    async def finish(self, timeout: float) -> None:  # noqa: ASYNC109  what it waits for is not cancelled with it
        """Reject further calls, end waits for events, and wait for the calls under way.

        Raises:
            StorageError: some are still under way after `timeout` seconds. They continue in their threads.
        """
        loop = running_loop()
        self._closed = True
        for wake in list(self._waits):
            wake(_closed())
        deadline = loop.time() + timeout
        while running := list(self._running):
            left = deadline - loop.time()
            if left <= 0:
                message = f"{len(running)} calls are still under way after {timeout:g} seconds. "
                raise StorageError(message + "They continue in their threads. Call close() again to wait for them.")
            await asyncio.wait([_end_of(call, loop) for call in running], timeout=left)

    def end(self) -> None:
        """End the threads, after `finish`: they are idle, so this takes no time."""
        self._executor.shutdown()

    def after_fork(self) -> None:
        """Begin again in a forked child, which has none of its parent's threads."""
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="asm-aio")
        self._running: set[Future[Any]] = set()
        self._waits: set[Callable[[Head | AsmError | None], object]] = set()

    def _submit(self, function: Callable[[], T]) -> Future[T]:
        try:
            call = self._executor.submit(function)
        except RuntimeError as error:  # it was shut down, or the interpreter ends
            raise _closed() from error
        self._running.add(call)
        call.add_done_callback(self._running.discard)
        return call

    async def _woken(self, read: Suspended[Any]) -> Head | None:
        """Wait for the pause of a read; return what `Watcher.wait` would return."""
        loop = running_loop()
        woken = loop.create_future()
        wake = partial(_wake, loop, woken)
        session_id, known, timeout = read.pause
        self._waits.add(wake)
        try:
            self.check_open()
            end = read.watcher.watch(session_id, known, wake)
            try:
                async with asyncio.timeout(timeout):
                    found: Head | AsmError | None = await woken
            except TimeoutError:
                found = None
            finally:
                end()
        finally:
            self._waits.discard(wake)
        if isinstance(found, AsmError):
            raise found
        return found


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


def _end_of(call: Future[Any], loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    """Return a future of the loop that has a result when the call has ended in any way."""
    ended = loop.create_future()
    call.add_done_callback(partial(_wake, loop, ended))
    return ended


def _wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: object) -> None:
    """Set the result of a future from any thread; if its loop has ended, this is a no-op."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_resolve, future, result)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _closed() -> StorageError:
    return StorageError("The backend is closed. Open it again.")
