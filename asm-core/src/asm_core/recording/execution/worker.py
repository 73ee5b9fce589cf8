"""The work of a run: its beginning is stored, its provider called, its end stored."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec

from asm_core.conversation import read_messages
from asm_core.conversation.folding import RETRY
from asm_core.errors import AlreadyExistsError, AsmError, InvalidTransitionError, ProviderError, RevisionConflictError
from asm_core.models import TERMINAL_RUN_STATUSES, EventType
from asm_core.ports import ProviderCapability
from asm_core.recording.execution.emission.closing import Closing
from asm_core.recording.execution.emission.emitter import Emitter
from asm_core.recording.execution.emission.recorder import Recorder
from asm_core.recording.execution.emission.redacting import RedactingRecorder
from asm_core.recording.execution.listeners import Listener
from asm_core.recording.execution.observation import Observation
from asm_core.recording.execution.opening import store_opening
from asm_core.recording.execution.options import Continuation
from asm_core.recording.execution.results import result_of
from asm_core.recording.lifecycle.claims import ATTEMPTS, begun, opened
from asm_core.recording.lifecycle.metering import METERED, Meter, priced
from asm_core.recording.lifecycle.outcomes import cancelled, completed, describe, failed
from asm_core.recording.policies import Guard
from asm_core.recording.policies.sums import Sums

if TYPE_CHECKING:
    from asm_core.conversation import Transcript
    from asm_core.models import Run, Session, StoredEvent
    from asm_core.ports import ExecutionResult, Provider, ProviderResult, SessionStore
    from asm_core.recording.execution.listeners import OnEvent
    from asm_core.recording.execution.options import Options
    from asm_core.recording.execution.results import RunResult
    from asm_core.recording.execution.stopping import Stop
    from asm_core.recording.lifecycle.outcomes import Outcome


class Worker:
    """Does the work of one run, in the thread that calls it. Another thread ends it by its `Stop`.

    Attributes:
        guard: checks the policies, if there are any.
        observation: the logs and the span of the run.
    """

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider,
        run: Run,
        *,
        stop: Stop,
        closes_session: bool,
        on_event: OnEvent | None,
        continuation: Continuation,
        options: Options,
    ) -> None:
        """Prepare the work; for the arguments see `Execution`."""
        self.guard: Guard | None = None
        self.observation = Observation(run, options)
        self._store = session_store
        self._provider = provider
        self._run = run
        self._stop = stop
        self._closes_session = closes_session
        self._continuation = continuation
        self._options = options
        self._meter = Meter(run)
        self._announce = Listener(on_event, stop.request)
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

    def open(self, opening: ExecutionResult) -> tuple[Session, list[StoredEvent]]:
        """Store the beginning; return the session as it was stored, with the events.

        Raises:
            InvalidTransitionError: another process or manager began or ended the run.
        """
        for attempt in range(ATTEMPTS):
            try:
                opening, events = store_opening(self._store, self._options, opening)
            except AlreadyExistsError as error:
                message = f"Run {self._run.id} was begun or ended by another process or manager meanwhile."
                raise InvalidTransitionError(message) from error
            except RevisionConflictError:
                if self._closes_session or attempt == ATTEMPTS - 1:
                    raise
                opening = self._opened_again(opening)
            else:
                self._run = msgspec.structs.replace(self._run, revision=(opening.expected_run_revision or 0) + 1)
                return opening.session, events
        raise AssertionError  # the last attempt returns or raises

    def _opened_again(self, opening: ExecutionResult) -> ExecutionResult:
        """Return the beginning with what another process stored meanwhile in the session or the run."""
        if opening.expected_run_revision:
            run = self._options.offloading.resolved(self._store.get_run(self._run.id))
            self._run = begun(run, self._options.lease)
        return opened(self._store, self._run, list(opening.events), exclusive=self._options.exclusive)

    def carry_out(self, session: Session, first: list[StoredEvent]) -> RunResult | BaseException:
        """Execute the run that `open` stored, and store its end; return its result, or the exception for the caller."""
        self.observation.begin(session)
        self._announce(first)
        try:
            outcome = self._execute(session)
        except BaseException as error:
            self.observation.fail(error)
            raise
        usage = self._meter.usage
        self.observation.end(outcome, self._meter.apply(self._run), usage)
        failure = outcome.raises or self._announce.error
        if failure is not None:
            return failure
        # An outcome without a result has an exception.
        result = cast("ProviderResult", outcome.result)
        return result_of(self._run, result, usage, self._store, whole_session=self._closes_session)

    def _execute(self, session: Session) -> Outcome:
        """Execute the run with the provider, store its end, and return it."""
        recorder = Recorder(
            self._store,
            patience=self._options.patience,
            on_stored=self._stored,
            on_failure=lambda error: self._stop.request(failed(error)),
            prepare=self._options.offloading.events,
        )
        outcome = cancelled("The run was ended before it began.")
        try:
            with recorder:
                redacting = RedactingRecorder(recorder, self._options.redaction)
                emit = Emitter(self._run, redacting, self._meter, self._read_transcript)
                emit.trace = self.observation.trace
                self._begin_guard(emit, session)
                if not self._stop.is_requested:
                    with redacting:
                        result = self._try(session, emit)
                    outcome = completed(result, self._run)
                    self._meter.take_result(result)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            outcome = failed(error)
        if recorder.error is not None:
            return self._give_up(recorder.error, recorder.lost)
        outcome = self._stop.settle(outcome)
        self._closing.store(outcome, self._options.patience)
        return outcome

    def _begin_guard(self, emit: Emitter, session: Session) -> None:
        policies = self._options.policies
        if not policies.budgets and not policies.tools:
            return
        sums = Sums(session, lambda: self._meter.apply(self._run), self._options.prices, policies.query_api)
        emit.guard = self.guard = Guard(
            policies,
            self._run,
            self._store,
            sums,
            record=partial(emit.record, waits=False),
            stop=self._stop.request,
            is_stopped=lambda: self._stop.is_requested,
        )
        self.guard.begin()

    def _try(self, session: Session, emit: Emitter) -> ProviderResult:
        """Execute the run with the provider; again, if it fails with an error that the options retry."""
        attempt = 1
        while True:
            try:
                result = self._provider.execute(self._run, session, emit)
            except ProviderError as error:
                pause = None if self._stop.has_outcome else self._options.retry.pause_after(attempt, error)
                if pause is None:
                    raise
                failure = {"error": describe(error), "attempt": attempt, RETRY: round(pause, 3)}
                emit(EventType.ERROR_OCCURRED, failure)
                self.observation.warn("provider error, will retry", code=error.code, retry_in=pause)
                if self._stop.woken.wait(pause):
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
            self._run.session_id,
            run_id=self._run.id if alone else None,
            max_messages=self._options.max_history_messages,
            max_tokens=self._options.max_history_tokens,
            artifacts=self._options.offloading.artifacts,
        )

    def _give_up(self, error: BaseException, lost: int) -> Outcome:
        """Try once to record that the run failed because events could not be stored."""
        if isinstance(error, AsmError):
            error.details["events_not_recorded"] = lost
        self.observation.warn("events not recorded", count=lost, code=getattr(error, "code", None))
        outcome = failed(error)
        with contextlib.suppress(Exception):
            self._closing.store(outcome, patience=0)
        return outcome

    def _stored(self, events: list[StoredEvent]) -> None:
        """Add the usage of stored events to the run, then announce them."""
        if any(event.type in METERED for event in events):
            # If it fails, the next response or the end adds it.
            with contextlib.suppress(AsmError):
                self._store.update_run(self._run.id, self._used)
                if self.guard is not None:
                    self.guard.after_response()
        self._announce(events)

    def _used(self, run: Run) -> Run:
        return run if run.status in TERMINAL_RUN_STATUSES else self._meter.apply(run)
