"""The events of a run under way, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from asm_core.errors import AsmError, ProviderError

if TYPE_CHECKING:
    from types import TracebackType

    from asm_core.models import StoredEvent
    from asm_core.recording.execution.results import RunResult

_AHEAD: Final = 1024
"""Events that are stored and not yet consumed, before the run waits for the consumer."""


class RunStream(AsyncIterator["StoredEvent"]):
    """The events of a run under way, as they are stored.

    The iterator ends with the run, and raises its error. An asynchronous context manager: at its end a run that has not
    ended is cancelled. It is for one task.
    """

    def __init__(self, execute: Callable[..., Coroutine[Any, Any, RunResult]]) -> None:
        """Call `execute` with a callback for events, at the first iteration."""
        self._execute = execute
        self._events: asyncio.Queue[StoredEvent] = asyncio.Queue(_AHEAD)
        self._changed = asyncio.Event()
        self._run: asyncio.Task[RunResult] | None = None

    @property
    def result(self) -> RunResult:
        """The result of the run, once the iterator has ended.

        Raises:
            ProviderError: the run has not ended.
            BaseException: the error of the run.
        """
        if self._run is None or not self._run.done():
            message = "The run has not ended. Consume its events first."
            raise ProviderError(message)
        return self._run.result()

    def __aiter__(self) -> Self:
        """Return the iterator."""
        return self

    async def __anext__(self) -> StoredEvent:
        """Wait for the next event, and return it.

        Raises:
            ProviderError: the run failed, as by `SessionManager.run`.
        """
        if self._run is None:
            self._run = asyncio.create_task(self._execute(on_event=self._put))
            self._run.add_done_callback(lambda _: self._changed.set())
        # A consumer that is cancelled while it waits has taken no event.
        while self._events.empty() and not self._run.done():
            self._changed.clear()
            await self._changed.wait()
        if not self._events.empty():
            return self._events.get_nowait()
        self._run.result()
        raise StopAsyncIteration

    async def _put(self, event: StoredEvent) -> None:
        await self._events.put(event)
        self._changed.set()

    async def aclose(self) -> None:
        """Cancel the run, if it has not ended, and wait until its end is stored."""
        if self._run is not None and not self._run.done():
            self._run.cancel()
            with suppress(asyncio.CancelledError, AsmError):
                await self._run

    async def __aenter__(self) -> Self:
        """Return the stream."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()
