"""The session manager for asyncio."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from asm_core.aio.calls import Calls
from asm_core.aio.ports import ManagedSessions
from asm_core.aio.streams import RunStream
from asm_core.aio.threads import result_of, running_loop
from asm_core.errors import AsmError, ProviderError, ValidationError, short_repr
from asm_core.recording.async_provider import here, home, result_in
from asm_core.recording.manager import SessionManager as Synchronous
from asm_core.recording.manager import synchronous
from asm_core.recording.wrapping import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from asm_core.aio.ports import SessionStore
    from asm_core.models import Event, Run, Session
    from asm_core.ports import AsyncProvider, Emit, Provider, ProviderResult
    from asm_core.recording.async_provider import Home
    from asm_core.recording.execution.listeners import OnEvent
    from asm_core.recording.execution.options import ContinuationChoice, ManagerOptions
    from asm_core.values.payloads import Payload

T = TypeVar("T")

_EXECUTING: Final = {"run_once", "run", "execute_run"}


class SessionManager(ManagedSessions):
    """Executes runs with a provider, and records them: `asm_core.SessionManager`, awaited.

    An asynchronous provider runs as a task of the caller's event loop, a synchronous one in a thread. `on_event` is
    called in the loop, and may be a coroutine function. If the task that awaits `run_once` or `execute_run` is
    cancelled, the run is ended and recorded as cancelled, and then `asyncio.CancelledError` is raised. A second
    cancellation is raised at once. Safe to share between tasks and event loops.
    """

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider | AsyncProvider,
        **options: Unpack[ManagerOptions],
    ) -> None:
        """Record runs of `provider` into `session_store`, with the options of `asm_core.SessionManager`.

        Raises:
            ValidationError: `session_store` is not that of an asynchronous backend, or is bound to a transaction.
        """
        calls = getattr(session_store, "calls", None)
        if not isinstance(calls, Calls):
            message = (
                "SessionManager takes the session_store of an asm_core.aio.Backend, outside of transactions, not "
                f"{short_repr(session_store)}."
            )
            raise ValidationError(message)
        executing = _Cancellable(synchronous(provider))
        query_api, artifacts = options.pop("query_api", None), options.pop("artifacts", None)
        options["query_api"] = getattr(query_api, "sync", query_api)
        options["artifacts"] = getattr(artifacts, "sync", artifacts)
        manager = Synchronous(session_store.sync, executing, **options)
        super().__init__(manager, _Executions(calls, manager))

    def stream(
        self,
        session_id: str,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        *,
        continuation: ContinuationChoice = "auto",
        metadata: Payload | None = None,
        timeout: float | None = None,
    ) -> RunStream:
        """Execute the next run of a session, as `run` does, and return an asynchronous iterator of its events.

        The run begins with the iteration, as a task of its own. The iterator ends with the run, and raises its error.
        If it is closed before (`aclose`, or the end of ``async with``), the run is cancelled. A consumer that is slow
        slows the run down.
        """
        return RunStream(
            partial(self.run, session_id, input, continuation=continuation, metadata=metadata, timeout=timeout)
        )


class _Call:
    """A call of `run_once` or `execute_run`.

    Attributes:
        run_id: the run, once the provider executes it.
        is_cancelled: whether the task that awaits it was cancelled.
    """

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.is_cancelled = False


_calling: Final[ContextVar[_Call]] = ContextVar("asm_call")


class _Cancellable(Wrapper):
    """A provider that does not begin a run whose caller was cancelled."""

    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        call = _calling.get()
        call.run_id = run.id
        if call.is_cancelled:
            raise ProviderError("The task of the run was cancelled.", details={"cancelled": True})
        return super().execute(run, session, emit)


class _Executions:
    """Runs the methods of a manager: those that execute a run in threads of their own."""

    def __init__(self, calls: Calls, manager: Synchronous) -> None:
        self._calls = calls
        self._manager = manager

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a method of the manager."""
        if function.__name__ not in _EXECUTING:
            return await self._calls.run(function, *args, **kwargs)
        loop = running_loop()
        where, call = here(), _Call()
        if kwargs.get("on_event") is not None:
            kwargs["on_event"] = partial(_announce, where, kwargs["on_event"])
        work = partial(_execute, where, call, partial(function, *args, **kwargs))
        return await result_of(self._calls.in_new_thread(work), loop, partial(self._gives_up, call))

    def _gives_up(self, call: _Call, _ended: Future[Any]) -> bool:
        """End the run at the first cancellation of its task; return True at the second."""
        if call.is_cancelled:
            return True
        call.is_cancelled = True
        if call.run_id is not None:
            self._calls.in_new_thread(partial(self._cancel, call.run_id))
        return False

    def _cancel(self, run_id: str) -> None:
        with suppress(AsmError):  # it has ended
            self._manager.cancel_run(run_id)


def _execute(where: Home, call: _Call, work: Callable[[], T]) -> T:
    home.set(where)
    _calling.set(call)
    return work()


def _announce(where: Home, on_event: OnEvent, event: Event) -> None:
    """Call the caller's callback in the caller's loop, and wait until it has ended."""

    async def announce() -> None:
        found = on_event(event)
        if isawaitable(found):
            await found

    result_in(where, announce())
