"""Storage of the end of a run, with other processes that may change it at the same time."""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from asm_core.errors import AlreadyExistsError, InvalidTransitionError, RevisionConflictError
from asm_core.event_log.idempotency import is_repeat
from asm_core.event_log.updating import Expected
from asm_core.models import TERMINAL_RUN_STATUSES, SessionStatus
from asm_core.ports import ExecutionResult
from asm_core.recording.execution.emission.recorder import persist
from asm_core.recording.lifecycle.claims import ATTEMPTS
from asm_core.recording.lifecycle.outcomes import ended_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.models import Run, StoredEvent
    from asm_core.ports import Provider, SessionStore
    from asm_core.recording.lifecycle.outcomes import Outcome

_LONGEST_PAUSE: Final = 0.02


class Closing:
    """Stores the end of a run of this process, and of its session."""

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider,
        run: Run,
        *,
        closes_session: bool,
        on_stored: Callable[[list[StoredEvent]], None],
        metered: Callable[[Run], Run],
        priced: Callable[[Run], Run],
        redacted: Callable[[ExecutionResult], ExecutionResult],
    ) -> None:
        """Prepare the end of `run`.

        Args:
            session_store: the store.
            provider: the provider of the run.
            run: the run.
            closes_session: whether the session ends with the run.
            on_stored: called with the events of the end.
            metered: returns a run with what it has used.
            priced: returns an ended run with its cost.
            redacted: returns an end without secrets.
        """
        self._metered = metered
        self._priced = priced
        self._redacted = redacted
        self._store = session_store
        self._provider = provider
        self._run = run
        self._closes_session = closes_session
        self._on_stored = on_stored

    def store(self, outcome: Outcome, patience: float) -> None:
        """Store the end of the run and of its session in one transaction.

        Raises:
            InvalidTransitionError: another process ended the run.
        """
        for attempt in range(ATTEMPTS):
            closing: ExecutionResult | None = None

            def flush() -> list[StoredEvent]:
                nonlocal closing
                # Built once: a retry must store identical events.
                closing = closing or self._closing(outcome)
                return self._store.flush(closing)

            try:
                self._on_stored(persist(flush, patience))
            except (AlreadyExistsError, InvalidTransitionError, RevisionConflictError):
                if closing is not None and self._was_stored(closing):
                    self._on_stored(self._store.append_events(closing.events))
                    return
                run = self._store.get_run(self._run.id)
                if run.status in TERMINAL_RUN_STATUSES:
                    self._close_after(run)
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311  no secret
            else:
                return

    def _closing(self, outcome: Outcome) -> ExecutionResult:
        # Read both again: their metadata may have changed. Expect that nothing changes until the flush.
        session, run = self._store.get_session(self._run.session_id), self._store.get_run(self._run.id)
        read = Expected(session.revision, run.revision)
        if run.status in TERMINAL_RUN_STATUSES:
            message = f"Run {run.id} has ended as {run.status}."
            raise InvalidTransitionError(message)
        run = self._metered(msgspec.structs.replace(run, status=self._run.status))
        closed = self._priced(outcome.close_run(run))
        events = outcome.events(run if closed.cost_usd is None else run.with_cost(closed.cost_usd))
        if self._closes_session and session.status is SessionStatus.ACTIVE:
            events.append(outcome.session_event(session))
            session = session.with_status(outcome.session_status)
        return self._redacted(
            ExecutionResult(
                session,
                closed,
                events,
                expected_session_revision=read.session,
                expected_run_revision=read.run,
            )
        )

    def _was_stored(self, closing: ExecutionResult) -> bool:
        """Return whether this end is stored: its reply was lost, and the session has changed since."""
        run, expected = closing.run, closing.expected_run_revision
        return run is not None and expected is not None and is_repeat(self._store.get_run(run.id), run, expected)

    def _close_after(self, run: Run) -> NoReturn:
        """Store the end of the session of a run that another process ended, and raise."""
        with contextlib.suppress(Exception):
            self._provider.cancel(run.id)
        error = InvalidTransitionError(
            f"Run {run.id} was ended as {run.status} by another process or manager while this one executed it. "
            "Its result is not recorded."
        )
        session = self._store.get_session(run.session_id)
        if self._closes_session and session.status is SessionStatus.ACTIVE:
            outcome = ended_as(run.status, error)
            event = outcome.session_event(session)
            with contextlib.suppress(AlreadyExistsError, InvalidTransitionError, RevisionConflictError):
                ended = session.with_status(outcome.session_status)
                closing = ExecutionResult(ended, None, [event], expected_session_revision=session.revision)
                self._on_stored(self._store.flush(closing))
        raise error
