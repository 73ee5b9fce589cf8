"""The execution of a run, from its first event to its last."""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from typing import TYPE_CHECKING, Final, cast

from asm_core.concurrency.latches import Latch, start_thread
from asm_core.concurrency.threads import begin_thread
from asm_core.errors import AsmError, InvalidTransitionError
from asm_core.recording.execution.stopping import Stop
from asm_core.recording.execution.supervisor import Supervised
from asm_core.recording.execution.worker import Worker
from asm_core.recording.lifecycle.outcomes import cancelled, timed_out
from asm_core.recording.lifecycle.process_identity import recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.models import Run
    from asm_core.ports import ExecutionResult, Provider, SessionStore
    from asm_core.recording.execution.listeners import OnEvent
    from asm_core.recording.execution.options import Continuation, Options
    from asm_core.recording.execution.results import RunResult
    from asm_core.recording.execution.supervisor import Supervisor
    from asm_core.recording.lifecycle.outcomes import Outcome


_BLINK: Final = 0.25
"""Seconds of the longest single wait. An interruption that could not wake the other threads is found after it."""

_ASK_AGAIN: Final = 0.1
"""Seconds between two cancel requests to the provider: at the first one it may not have begun the run."""


class Execution(Supervised):
    """Executes a run with a provider, and records it.

    It uses its own threads. An interruption (Ctrl-C) reaches the main thread between any two bytecodes; the main thread
    only waits, so no step is cut in two, and an execution that began is always recorded to its end. The waiting thread
    uses steps that no signal handler can divide: CPython runs handlers at calls and backward jumps only.
    """

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider,
        run: Run,
        *,
        executions: dict[str, Execution],
        supervisor: Supervisor,
        closes_session: bool,
        on_event: OnEvent | None,
        timeout: float | None,
        continuation: Continuation,
        options: Options,
    ) -> None:
        """Prepare the execution of a run before it is stored as running.

        Args:
            session_store: the store to record into.
            provider: the provider of the run.
            run: the run.
            executions: the executions of the manager, by run; contains this one while it lasts.
            supervisor: finds requests to cancel the run, and renews its lease.
            closes_session: whether the session ends with the run.
            on_event: called with each event after it is stored, in order, in a thread of the execution.
            timeout: seconds after which the run is ended.
            continuation: which conversation the provider gets.
            options: the options of the manager.
        """
        self.run = run
        self.seen = 0
        self.renewed_at = time.monotonic()
        self.has_begun = False
        self._provider = provider
        self._timeout = timeout
        self._closes_session = closes_session
        self._executions = executions
        self._supervisor = supervisor
        self._stop = Stop()
        self._worker = Worker(
            session_store,
            provider,
            run,
            stop=self._stop,
            closes_session=closes_session,
            on_event=on_event,
            continuation=continuation,
            options=options,
        )
        # One entry that the first thread takes in one step.
        self._to_begin = [True]
        self._done = Latch()
        self._result: RunResult | BaseException | None = None

    def stop(self, outcome: Outcome) -> None:
        """End the run with this outcome; if it was stopped or has ended, this is a no-op."""
        self._stop.request(outcome)

    def carry_out(self, opening: ExecutionResult) -> RunResult:
        """Store `opening`, execute the run, store its end, and return its result.

        An interruption ends the run, and is raised after the end is recorded. A second interruption is raised at once;
        the execution then ends in the background.

        Raises:
            InvalidTransitionError: the run is executed or was ended by another process or manager.
        """
        work = self._thread(self._carry_out, opening)
        watch = self._thread(self._watch, work)
        try:
            start_thread(lambda: self._begin(watch))
            self._done.wait()
        except BaseException as interruption:
            self._stop.interruption = interruption
            if self._was_not_begun():
                raise
            self._stop.woken.set()
            self._done.wait()
            cause = self._result if isinstance(self._result, BaseException) else None
            raise interruption from (None if cause is interruption else cause)
        if isinstance(self._result, BaseException):
            raise self._result
        return cast("RunResult", self._result)

    def _thread(self, target: Callable[..., None], argument: object) -> threading.Thread:
        run = contextvars.copy_context().run
        return threading.Thread(target=run, args=(target, argument), name=f"asm-{self.run.id}")

    def _was_not_begun(self) -> bool:
        """Return whether no thread has begun the run, and prevent that one does."""
        try:
            return self._to_begin.pop()
        except IndexError:
            return False

    def _begin(self, watch: threading.Thread) -> None:
        if self._was_not_begun():  # this thread begins it
            try:
                begin_thread(watch, "execute the run")
            except BaseException as error:  # noqa: BLE001  raised in the caller's thread
                self._end(error)

    def _watch(self, work: threading.Thread) -> None:
        """Execute the run, and end it after a stop or a timeout."""
        try:
            begin_thread(work, "execute the run")
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            self._end(error)
            return
        deadline = math.inf if self._timeout is None else time.monotonic() + self._timeout
        while not self._stop.woken.wait(self._rest(deadline)) and self._stop.interruption is None:
            if self._timeout is not None and time.monotonic() >= deadline:
                self.stop(timed_out(self._timeout))
            self._check_timers()
        interruption = self._stop.interruption
        if interruption is not None:
            self.stop(cancelled(f"The run was interrupted by {type(interruption).__name__}.", interruption))
        self._cancel_until_done()

    def _rest(self, deadline: float) -> float:
        """Return the seconds until something must be checked."""
        guard = self._worker.guard
        due = deadline if guard is None else min(deadline, guard.next_check)
        return max(0.0, min(_BLINK, due - time.monotonic()))

    def _check_timers(self) -> None:
        guard = self._worker.guard
        if guard is not None and guard.next_check <= time.monotonic():
            with contextlib.suppress(AsmError):
                guard.check_timers()

    def _cancel_until_done(self) -> None:
        """Ask the provider to cancel until the run has ended; one that cannot cancel is waited for."""
        while not self._done.is_set:
            with contextlib.suppress(Exception):
                self._provider.cancel(self.run.id)
            self._done.wait(_ASK_AGAIN)

    def _end(self, result: RunResult | BaseException) -> None:
        """Give the caller the result, or the exception, with the session and the run in its details."""
        if isinstance(result, AsmError):
            result.details.update(session_id=self.run.session_id, run_id=self.run.id)
        elif isinstance(result, Exception):
            result.add_note(f"Recorded in session {self.run.session_id}, run {self.run.id}.")
        self._result = result
        self._done.set()
        self._stop.woken.set()

    def _carry_out(self, opening: ExecutionResult) -> None:
        run = self.run
        if self._executions.setdefault(run.id, self) is not self:
            self._end(InvalidTransitionError(f"Run {run.id} is already being executed."))
            return
        own = {run.id, run.session_id} if self._closes_session else {run.id}
        recording.update(own)
        result: RunResult | BaseException
        try:
            self._supervisor.begin()  # may fail, so before the run is stored as running
            session, events = self._worker.open(opening)
            self.has_begun = True
            self.seen = events[-1].sequence_number
            result = self._worker.carry_out(session, events)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            result = error
        recording.difference_update(own)
        self._executions.pop(run.id, None)
        self._supervisor.end()
        self._end(result)
