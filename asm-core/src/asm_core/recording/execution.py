"""The execution of a run, from its first event to its last."""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import msgspec

from asm_core import logs
from asm_core.concurrency.latches import Latch, start_thread
from asm_core.concurrency.threads import begin_thread
from asm_core.conversation import read_messages
from asm_core.conversation.folding import RETRY
from asm_core.errors import (
    AlreadyExistsError,
    AsmError,
    InvalidTransitionError,
    ProviderError,
    RevisionConflictError,
)
from asm_core.models import TERMINAL_RUN_STATUSES, EventType, RunStatus
from asm_core.ports import ProviderCapability
from asm_core.recording.claims import begun, opened
from asm_core.recording.closing import Closing
from asm_core.recording.emitter import Emitter
from asm_core.recording.listeners import OnEvent, notify
from asm_core.recording.metering import METERED, Meter, priced
from asm_core.recording.opening import store_opening
from asm_core.recording.options import Continuation
from asm_core.recording.outcomes import cancelled, completed, describe, error_type, failed, timed_out
from asm_core.recording.policies import Guard
from asm_core.recording.policies.sums import Sums
from asm_core.recording.process_identity import recording
from asm_core.recording.recorder import Recorder
from asm_core.recording.redacting import RedactingRecorder
from asm_core.recording.results import RunResult, result_of
from asm_core.recording.supervisor import Supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asm_core.conversation import Transcript
    from asm_core.models import Event, Run, Session, StoredEvent
    from asm_core.ports import ExecutionResult, Provider, ProviderResult, SessionStore
    from asm_core.recording.options import Options
    from asm_core.recording.outcomes import Outcome
    from asm_core.recording.supervisor import Supervisor
    from asm_core.tracing.run_trace import RunTrace


_BLINK: Final = 0.25
"""Seconds of the longest single wait. An interruption that could not wake the other threads is found after it."""

_ATTEMPTS: Final = 50
"""The number of attempts to begin while another process changes the session or the run at the same time."""

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
        self._meter = Meter(run)
        self._store = session_store
        self._provider = provider
        self.run = run
        self.seen = 0
        self.renewed_at = self._began_at = time.monotonic()
        self.has_begun = False
        self._closes_session = closes_session
        self._on_event = on_event
        self._timeout = timeout
        self._continuation = continuation
        self._options = options
        self._executions = executions
        self._supervisor = supervisor
        self._closing = Closing(
            session_store,
            provider,
            run,
            closes_session=closes_session,
            on_stored=self._announce,
            metered=self._meter.apply,
            priced=lambda run: priced(run, options.prices),
            redacted=options.redaction.result,
        )
        # One entry that the first thread sets or takes in one step.
        self._ends: dict[str, Outcome] = {}
        self._to_begin = [True]
        self._woken = Latch()
        self._done = Latch()
        self._interruption: BaseException | None = None
        self._result: RunResult | None = None
        self._failure: BaseException | None = None
        self._unheard: BaseException | None = None
        self._guard: Guard | None = None
        self._trace: RunTrace | None = None

    def stop(self, outcome: Outcome) -> None:
        """End the run with this outcome; if it was stopped or has ended, this is a no-op."""
        self._ends.setdefault("end", outcome)
        self._woken.set()

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
            self._interruption = interruption
            if self._was_not_begun():
                raise
            self._woken.set()
            self._done.wait()
            raise interruption from (None if self._failure is interruption else self._failure)
        if self._failure is not None:
            raise self._failure
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
        while not self._woken.wait(self._rest(deadline)) and self._interruption is None:
            if self._timeout is not None and time.monotonic() >= deadline:
                self.stop(timed_out(self._timeout))
            self._check_timers()
        if self._interruption is not None:
            kind = type(self._interruption).__name__
            self.stop(cancelled(f"The run was interrupted by {kind}.", self._interruption))
        self._cancel_until_done()

    def _rest(self, deadline: float) -> float:
        """Return the seconds until something must be checked."""
        due = deadline if self._guard is None else min(deadline, self._guard.next_check)
        return max(0.0, min(_BLINK, due - time.monotonic()))

    def _check_timers(self) -> None:
        if self._guard is not None and self._guard.next_check <= time.monotonic():
            with contextlib.suppress(AsmError):
                self._guard.check_timers()

    def _cancel_until_done(self) -> None:
        """Ask the provider to cancel until the run has ended; one that cannot cancel is waited for."""
        while not self._done.is_set:
            with contextlib.suppress(Exception):
                self._provider.cancel(self.run.id)
            self._done.wait(_ASK_AGAIN)

    def _end(self, error: BaseException | None) -> None:
        self._failure = error
        self._annotate_error(error)
        self._done.set()
        self._woken.set()

    def _carry_out(self, opening: ExecutionResult) -> None:
        run = self.run
        if self._executions.setdefault(run.id, self) is not self:
            self._end(InvalidTransitionError(f"Run {run.id} is already being executed."))
            return
        own = {run.id, run.session_id} if self._closes_session else {run.id}
        recording.update(own)
        failure: BaseException | None = None
        try:
            self._supervisor.begin()  # may fail, so before the run is stored as running
            opening, events = self._open(opening)
            self.has_begun = True
            self.seen = events[-1].sequence_number
            self._begin_trace(opening.session)
            self._announce(events)
            self._log_begin()
            outcome = self._execute(opening)
            self._log_end(outcome)
            self._end_trace(outcome)
            failure = self._unheard if outcome.raises is None else outcome.raises
            if outcome.result is not None:
                self._result = result_of(
                    run, outcome.result, self._meter.usage, self._store, whole_session=self._closes_session
                )
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            failure = error
            if self._trace is not None:
                self._trace.fail(error)
        finally:
            recording.difference_update(own)
            self._executions.pop(run.id, None)
            self._supervisor.end()
            self._end(failure)

    def _open(self, opening: ExecutionResult) -> tuple[ExecutionResult, list[StoredEvent]]:
        """Store the beginning; return it as it was stored, with its events."""
        for _ in range(_ATTEMPTS):
            try:
                return self._flush(opening)
            except AlreadyExistsError as error:
                message = f"Run {self.run.id} was begun or ended by another process or manager meanwhile."
                raise InvalidTransitionError(message) from error
            except RevisionConflictError:
                if self._closes_session:
                    raise
                # Another process changed the session or the run: begin with what is stored now.
                if opening.expected_run_revision:
                    run = self._options.offloading.resolved(self._store.get_run(self.run.id))
                    self.run = begun(run, self._options.lease)
                opening = opened(self._store, self.run, list(opening.events), exclusive=self._options.exclusive)
        return self._flush(opening)

    def _flush(self, opening: ExecutionResult) -> tuple[ExecutionResult, list[StoredEvent]]:
        opening, events = store_opening(self._store, self._options, opening)
        self.run = msgspec.structs.replace(self.run, revision=(opening.expected_run_revision or 0) + 1)
        return opening, events

    def _execute(self, opening: ExecutionResult) -> Outcome:
        """Execute the run with the provider, record its end, and return it."""
        recorder = Recorder(
            self._store,
            patience=self._options.patience,
            on_stored=self._stored,
            on_failure=lambda error: self.stop(failed(error)),
            prepare=self._options.offloading.events,
        )
        outcome = cancelled("The run was ended before it began.")
        try:
            with recorder:
                redacting = RedactingRecorder(recorder, self._options.redaction)
                emit = Emitter(self.run, redacting, self._meter, self._read_transcript)
                emit.trace = self._trace
                self._begin_guard(emit, opening.session)
                if not self._ends and self._interruption is None:
                    with redacting:
                        result = self._try(opening.session, emit)
                    outcome = completed(result, self.run)
                    self._meter.take_result(result)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            outcome = failed(error)
        if recorder.error is not None:
            return self._give_up(recorder.error, recorder.lost)
        end = self._ends.setdefault("end", outcome)
        if end is not outcome:
            outcome = msgspec.structs.replace(end, result=outcome.result)
        self._closing.store(outcome, self._options.patience)
        return outcome

    def _begin_guard(self, emit: Emitter, session: Session) -> None:
        policies = self._options.policies
        if not policies.budgets and not policies.tools:
            return
        sums = Sums(session, lambda: self._meter.apply(self.run), self._options.prices, policies.query_api)
        emit.guard = self._guard = Guard(
            policies,
            self.run,
            self._store,
            sums,
            record=partial(emit.record, waits=False),
            stop=self.stop,
            is_stopped=lambda: bool(self._ends) or self._interruption is not None,
        )
        self._guard.begin()

    def _try(self, session: Session, emit: Emitter) -> ProviderResult:
        """Execute the run with the provider; again, if it fails with an error that the options retry."""
        attempt = 1
        while True:
            try:
                result = self._provider.execute(self.run, session, emit)
            except ProviderError as error:
                pause = None if self._ends else self._options.retry.pause_after(attempt, error)
                if pause is None:
                    raise
                failure = {"error": describe(error), "attempt": attempt, RETRY: round(pause, 3)}
                emit(EventType.ERROR_OCCURRED, failure)
                logs.warning("recording", "provider error, will retry", **self._ids, code=error.code, retry_in=pause)
                if self._woken.wait(pause):
                    raise
                attempt += 1
            else:
                if attempt > 1:
                    emit(EventType.ERROR_RECOVERED, {"attempts": attempt})
                return result

    def _read_transcript(self) -> Transcript:
        """Return the conversation that the provider gets."""
        alone = self._continuation is Continuation.NONE or (
            self._continuation is Continuation.AUTO and ProviderCapability.CONTINUATION in self._provider.capabilities
        )
        return read_messages(
            self._store,
            self.run.session_id,
            run_id=self.run.id if alone else None,
            max_messages=self._options.max_history_messages,
            max_tokens=self._options.max_history_tokens,
            artifacts=self._options.offloading.artifacts,
        )

    def _give_up(self, error: BaseException, lost: int) -> Outcome:
        """Try once to record that the run failed because events could not be stored."""
        if isinstance(error, AsmError):
            error.details["events_not_recorded"] = lost
        logs.warning("recording", "events not recorded", **self._ids, count=lost, code=getattr(error, "code", None))
        outcome = failed(error)
        with contextlib.suppress(Exception):
            self._closing.store(outcome, patience=0)
        return outcome

    def _stored(self, events: list[StoredEvent]) -> None:
        """Add the usage of stored events to the run, then announce them."""
        if any(event.type in METERED for event in events):
            # If it fails, the next response or the end adds it.
            with contextlib.suppress(AsmError):
                self._store.update_run(self.run.id, self._used)
                if self._guard is not None:
                    self._guard.after_response()
        self._announce(events)

    def _used(self, run: Run) -> Run:
        return run if run.status in TERMINAL_RUN_STATUSES else self._meter.apply(run)

    def _announce(self, events: Sequence[Event]) -> None:
        """Pass stored events to the caller's callback. If it raises, end the run and do not call it again."""
        if self._on_event is None or not events:
            return
        try:
            notify(self._on_event, events)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            self._on_event = None
            self._unheard = error
            self.stop(failed(error))

    @property
    def _ids(self) -> dict[str, str | None]:
        return {"run": self.run.id, "session": self.run.session_id, "provider": self.run.provider}

    def _log_begin(self) -> None:
        logs.info("recording", "run started", **self._ids)

    def _log_end(self, outcome: Outcome) -> None:
        expected = outcome.run_status in {RunStatus.COMPLETED, RunStatus.CANCELLED}
        log = logs.info if expected else logs.warning
        log(
            "recording",
            f"run {outcome.run_status}",
            **self._ids,
            code=(outcome.error or {}).get("code"),
            seconds=time.monotonic() - self._began_at,
            tokens=self._meter.usage.total_tokens or None,
        )

    def _begin_trace(self, session: Session) -> None:
        """Begin the span of the run, and make it current in this thread and in those that it starts."""
        run, tracing = self.run, self._options.tracing
        if tracing is not None:
            self._trace = tracing.begin_run(
                run_id=run.id, session_id=run.session_id, provider=run.provider or "", agent=session.agent_id
            )
            self._trace.enter()

    def _end_trace(self, outcome: Outcome) -> None:
        if self._trace is None:
            return
        ended = priced(outcome.close_run(self._meter.apply(self.run)), self._options.prices)
        self._trace.end(
            outcome.run_status,
            error_type=error_type(outcome),
            cost_usd=None if ended.cost_usd is None else float(ended.cost_usd),
            model=ended.model,
            stop_reason=(ended.output or {}).get("stop_reason"),
            usage=self._meter.usage,
        )

    def _annotate_error(self, error: BaseException | None) -> None:
        """Add the session and the run to an error."""
        if isinstance(error, AsmError):
            error.details.update(session_id=self.run.session_id, run_id=self.run.id)
        elif isinstance(error, Exception):
            error.add_note(f"Recorded in session {self.run.session_id}, run {self.run.id}.")
