"""Storage of the end of a run, with other processes that may change it at the same time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NoReturn

from asm_core.errors import AlreadyExistsError, InvalidTransitionError
from asm_core.models import TERMINAL_RUN_STATUSES, SessionStatus
from asm_core.ports import ExecutionResult
from asm_core.recording.outcomes import ended_as
from asm_core.recording.recorder import persist

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.models import Event, Run
    from asm_core.ports import Provider, SessionStore
    from asm_core.recording.outcomes import Outcome

_ATTEMPTS: Final = 3
"""The number of retries when another process changes the session at the same time."""


class Closing:
    """Stores the end of a run of this process, and of its session."""

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider,
        run: Run,
        *,
        closes_session: bool,
        on_stored: Callable[[list[Event]], None],
    ) -> None:
        """Prepare the end of `run`; `on_stored` is called with the events of the end."""
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
        for attempt in range(_ATTEMPTS):
            closing: ExecutionResult | None = None

            def flush() -> list[Event]:
                nonlocal closing
                # Built once: a retry must store identical events.
                closing = closing or self._closing(outcome)
                return self._store.flush(closing)

            try:
                self._on_stored(persist(flush, patience))
            except (AlreadyExistsError, InvalidTransitionError):
                run = self._store.get_run(self._run.id)
                if run.status in TERMINAL_RUN_STATUSES:
                    self._close_after(run)
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _closing(self, outcome: Outcome) -> ExecutionResult:
        # Read the session again: its tags or metadata may have changed.
        session = self._store.get_session(self._run.session_id)
        events = [outcome.run_event(self._run)]
        if self._closes_session and session.status is SessionStatus.ACTIVE:
            events.append(outcome.session_event(session))
            session = session.with_status(outcome.session_status)
        return ExecutionResult(session, outcome.close_run(self._run), events)

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
            with contextlib.suppress(AlreadyExistsError, InvalidTransitionError):  # that process ended the session too
                self._on_stored(
                    self._store.flush(ExecutionResult(session.with_status(outcome.session_status), None, [event]))
                )
        raise error
