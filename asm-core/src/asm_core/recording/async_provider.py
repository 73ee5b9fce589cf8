"""Asynchronous providers in the threads of an execution."""

from __future__ import annotations

import asyncio
import concurrent.futures
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from asm_core.concurrency.latches import start_thread
from asm_core.errors import ProviderError
from asm_core.ports import AsyncEmit
from asm_core.recording.execution.emission.emitter import Emitter
from asm_core.recording.wrapping import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from asm_core.conversation import Transcript
    from asm_core.models import EventType, Run, Session
    from asm_core.ports import AsyncProvider, Emit, ProviderResult, ToolDecision

T = TypeVar("T")

_BLINK: Final = 0.25
"""Seconds after which a thread checks whether the loop that it waits for has ended."""


class Home(NamedTuple):
    """The event loop of a caller, and the context variables there."""

    loop: asyncio.AbstractEventLoop
    context: Context


home: Final[ContextVar[Home | None]] = ContextVar("asm_home", default=None)
"""Where the asynchronous code of the caller runs; None: in a loop of the run's own."""


class InLoop(Wrapper):
    """An asynchronous provider as a synchronous one: its coroutine runs in an event loop, and a thread waits for it."""

    def __init__(self, provider: AsyncProvider) -> None:
        """Execute with `provider`."""
        super().__init__(provider)
        self._tasks: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = {}

    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        """Execute `run` in the caller's loop, or in a loop of its own."""
        where = home.get()
        execution = self._execute(run, session, emit)
        if where is None:
            return asyncio.run(execution)
        context = copy_context()  # that of the run, whose span is current
        context.run(home.set, None)
        found: ProviderResult = result_in(Home(where.loop, context), execution)
        return found

    def cancel(self, run_id: str) -> None:
        """Cancel the task of a run."""
        found = self._tasks.get(run_id)
        if found is not None:
            loop, task = found
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(task.cancel)

    async def _execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  for the type checker
        self._tasks[run.id] = (asyncio.get_running_loop(), task)
        try:
            result: ProviderResult = await self._provider.execute(run, session, _Awaited(emit))
        except asyncio.CancelledError as error:
            raise ProviderError("The task of the run was cancelled.", details={"cancelled": True}) from error
        else:
            return result
        finally:
            del self._tasks[run.id]


class _Awaited(AsyncEmit):
    """An `Emit`, awaited: the event loop does not wait while an event, a transcript or a decision takes a moment."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    async def __call__(self, type: EventType | str, data: Mapping[str, Any]) -> None:  # noqa: A002  the name of the field
        if isinstance(self._emit, Emitter) and not self._emit.is_full:
            self._emit(type, data)
        else:
            await _in_thread(self._emit, type, data)

    async def transcript(self) -> Transcript:
        return await _in_thread(self._emit.transcript)

    async def approve_tool(self, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        return await _in_thread(self._emit.approve_tool, tool_call_id, tool_name, tool_input)


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of its own: one that waits for a person must not take those of others."""
    ended: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            ended.set_result(function(*args))
        except BaseException as error:  # noqa: BLE001  raised in the loop
            ended.set_exception(error)

    start_thread(partial(copy_context().run, work))
    return await asyncio.shield(asyncio.wrap_future(ended))


def result_in(where: Home, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in the caller's loop, and wait for its result in this thread, which is another one.

    Raises:
        ProviderError: the loop has ended.
    """
    ended: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def start() -> None:
        task = where.loop.create_task(coroutine, context=where.context)
        task.add_done_callback(partial(_deliver, ended))

    try:
        where.loop.call_soon_threadsafe(start)
        while True:
            with suppress(concurrent.futures.TimeoutError):
                return ended.result(_BLINK)
            if ended.done():
                return ended.result()
            if where.loop.is_closed():
                break
    except RuntimeError:
        if not where.loop.is_closed():
            raise
    coroutine.close()
    message = "The event loop of the run has ended."
    raise ProviderError(message, details={"cancelled": True})


def here() -> Home:
    """Return the running loop, and a copy of the context variables: the caller waits in the context itself."""
    return Home(asyncio.get_running_loop(), copy_context())


def _deliver(ended: concurrent.futures.Future[Any], task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        ended.cancel()
    elif (error := task.exception()) is not None:
        ended.set_exception(error)
    else:
        ended.set_result(task.result())
