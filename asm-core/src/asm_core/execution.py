"""One execution of a run, from its first event to its last."""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from typing import TYPE_CHECKING, Final, cast

import msgspec

from asm_core.emitter import Emitter
from asm_core.errors import AsmError
from asm_core.models import SessionStatus
from asm_core.outcomes import cancelled, completed, failed, timed_out
from asm_core.ports import ExecutionResult
from asm_core.recorder import Recorder, persist
from asm_core.results import RecordedEvents, RunResult
from asm_core.stamps import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asm_core.models import Event, Run
    from asm_core.outcomes import Outcome
    from asm_core.ports import Provider, SessionStore

    OnEvent = Callable[[Event], object]

_BLINK: Final = 0.25
"""The longest wait in one piece. A signal that comes in the instant before a wait begins is seen only at its end."""

_ASK_AGAIN: Final = 0.1
"""Seconds between two requests to the provider to end a run: it may not have begun it when the first one came."""


class Execution:
    """Has a provider execute a run, and records it.

    All of it happens in a thread of its own, so that an interruption (Ctrl-C), which hits the main thread wherever it
    is, finds that one waiting and cannot break a step in two: what was begun is always recorded to its end.
    """

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider,
        run: Run,
        *,
        closes_session: bool,
        on_event: OnEvent | None,
        timeout: float | None,
        patience: float,
    ) -> None:
        """Prepare the execution of a run that is about to be stored as running.

        Args:
            session_store: where to record.
            provider: what executes the run.
            run: the run.
            closes_session: whether its session ends with it.
            on_event: called with each event after it was stored, in order, in a thread of the execution.
            timeout: seconds after which the run is ended.
            patience: seconds for which a store that cannot be reached is tried again.
        """
        self._store = session_store
        self._provider = provider
        self._run = run
        self._closes_session = closes_session
        self._on_event = on_event
        self._timeout = timeout
        self._patience = patience
        self._lock = threading.Lock()
        self._stopped: Outcome | None = None
        self._called_off = False
        self._wake = threading.Event()
        self._done = threading.Event()
        self._result: RunResult | None = None
        self._failure: BaseException | None = None
        self._unheard: BaseException | None = None

    def stop(self, outcome: Outcome) -> None:
        """Have the run ended, with this outcome; one that was stopped or has ended already is a no-op."""
        with self._lock:
            if self._stopped is None:
                self._stopped = outcome
        self._wake.set()

    def carry_out(self, opening: ExecutionResult) -> RunResult:
        """Store `opening`, have the run executed, store its end, and return what came of it.

        Whatever interrupts the waiting ends the run and is raised when that is recorded. A second interruption is
        raised at once; the execution then ends by itself, in the background.
        """
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._carry_out, opening), name=f"asm-{self._run.id}")
        try:
            thread.start()
            self._wait()
            self._see_to_its_end()
        except BaseException as interruption:
            if thread.ident is None:
                self._called_off = True  # should it begin yet
                raise
            self.stop(cancelled(f"The run was interrupted by {type(interruption).__name__}.", interruption))
            self._see_to_its_end()
            raise interruption from (None if self._failure is interruption else self._failure)
        if self._failure is not None:
            raise self._failure
        return cast("RunResult", self._result)

    def _wait(self) -> None:
        """Wait until the run has ended, or is to be ended."""
        deadline = math.inf if self._timeout is None else time.monotonic() + self._timeout
        while not self._wake.wait(max(0.0, min(_BLINK, deadline - time.monotonic()))):
            if self._timeout is not None and time.monotonic() >= deadline:
                self.stop(timed_out(self._timeout))

    def _see_to_its_end(self) -> None:
        while not self._done.is_set():
            # A provider that cannot end the run is waited for.
            with contextlib.suppress(Exception):
                self._provider.cancel(self._run.id)
            self._done.wait(_ASK_AGAIN)

    def _carry_out(self, opening: ExecutionResult) -> None:
        if self._called_off:
            return
        recording.add(self._run.session_id)
        try:
            self._announce(self._store.flush(opening))
            outcome = self._execute(opening)
            self._failure = self._unheard if outcome.raises is None else outcome.raises
            self._result = self._returned(outcome)
        except BaseException as error:  # noqa: BLE001  the caller gets it
            self._failure = error
        finally:
            recording.discard(self._run.session_id)
            self._place(self._failure)
            self._done.set()
            self._wake.set()

    def _returned(self, outcome: Outcome) -> RunResult | None:
        if outcome.result is None:
            return None
        run = self._run
        return RunResult(
            output=outcome.result.output,
            token_usage=outcome.result.token_usage,
            events=RecordedEvents(self._store, run.session_id, None if self._closes_session else run.id),
            session_id=run.session_id,
            run_id=run.id,
        )

    def _execute(self, opening: ExecutionResult) -> Outcome:
        """Have the provider execute the run, record its end, and return it."""
        recorder = Recorder(
            self._store,
            patience=self._patience,
            on_stored=self._announce,
            on_failure=lambda error: self.stop(failed(error)),
        )
        outcome = cancelled("The run was ended before it began.")
        try:
            with recorder:
                if self._stopped is None:
                    result = self._provider.execute(self._run, opening.session, Emitter(self._run, recorder))
                    outcome = completed(result, self._run)
        except BaseException as error:  # noqa: BLE001  the caller gets it
            outcome = failed(error)
        if recorder.error is not None:
            return self._give_up(recorder.error, recorder.lost)
        with self._lock:
            if self._stopped is not None:
                outcome = msgspec.structs.replace(self._stopped, result=outcome.result)
            self._stopped = outcome
        self._close(outcome, self._patience)
        return outcome

    def _give_up(self, error: BaseException, lost: int) -> Outcome:
        """Try once to record that the run failed because events could not be stored."""
        if isinstance(error, AsmError):
            error.details["events_not_recorded"] = lost
        outcome = failed(error)
        with contextlib.suppress(Exception):
            self._close(outcome, patience=0)
        return outcome

    def _close(self, outcome: Outcome, patience: float) -> None:
        """Store the end of the run, and of its session, at once."""
        closing: ExecutionResult | None = None

        def flush() -> list[Event]:
            nonlocal closing
            # Made once: what is tried again must be the same to the letter.
            closing = closing or self._closing(outcome)
            return self._store.flush(closing)

        self._announce(persist(flush, patience))

    def _closing(self, outcome: Outcome) -> ExecutionResult:
        # The session anew, as it may have got tags or metadata meanwhile.
        session = self._store.get_session(self._run.session_id)
        run = outcome.close_run(self._run)
        events = [outcome.run_event(run)]
        if self._closes_session and session.status is SessionStatus.ACTIVE:
            session = session.with_status(outcome.session_status)
            events.append(outcome.session_event(session))
        return ExecutionResult(session, run, events)

    def _announce(self, events: Sequence[Event]) -> None:
        """Tell the caller what was stored; one that fails at it ends the run, and hears no more."""
        if self._on_event is None or not events:
            return
        try:
            many = getattr(self._on_event, "many", None)
            if many is not None:
                many(events)
            else:
                for event in events:
                    self._on_event(event)
        except BaseException as error:  # noqa: BLE001  the caller gets it
            self._on_event = None
            self._unheard = error
            self.stop(failed(error))

    def _place(self, error: BaseException | None) -> None:
        """Say in an error which session and run it is about."""
        if isinstance(error, AsmError):
            error.details.update(session_id=self._run.session_id, run_id=self._run.id)
        elif isinstance(error, Exception):
            error.add_note(f"Recorded in session {self._run.session_id}, run {self._run.id}.")
