"""Execution and recording of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.errors import AlreadyExistsError, InvalidTransitionError, RevisionConflictError
from asm_core.event_log.waiting import check_wait
from asm_core.models import TERMINAL_RUN_STATUSES, Event, EventType, Run, Session, SessionStatus
from asm_core.models.session import STAMP_KEY
from asm_core.models.statuses import TERMINAL_SESSION_STATUSES
from asm_core.ports import AsyncProvider, ExecutionResult, Provider
from asm_core.querying.prices import prices_of
from asm_core.recording.claims import begun, check_not_executed, closed, end_id, first_events, opened
from asm_core.recording.execution import Execution
from asm_core.recording.metering import priced
from asm_core.recording.outcomes import cancelled
from asm_core.recording.process_identity import check_no_stamp, make_stamp
from asm_core.recording.wrapping import Wrapper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.ports import SessionStore
    from asm_core.querying.prices import Prices, PricingTable
    from asm_core.recording.listeners import OnEvent
    from asm_core.recording.results import RunResult
    from asm_core.values.payloads import Payload

_ATTEMPTS: Final = 50
"""The number of attempts while another process changes the session or the run at the same time."""


class SessionManager:
    """Executes runs with a provider, and records them in a session store. Safe to share between threads.

    `run_once` executes a single run in its own session. The other methods are single steps, for sessions of many runs:
    each stores a change of status together with its event, all or nothing. They join a transaction of the calling
    thread. `run_once` and `execute_run` cannot join it, because other threads store events while the run executes.

    Any method may raise `StorageError`; `SessionNotFoundError` and `RunNotFoundError` for unknown ids; and
    `InvalidTransitionError` for a transition that is not allowed.
    """

    def __init__(
        self,
        session_store: SessionStore,
        provider: Provider | AsyncProvider,
        *,
        storage_timeout: float = 30.0,
        pricing_table: PricingTable | Prices | None = None,
    ) -> None:
        """Record runs of `provider` into `session_store`.

        Args:
            session_store: the store to record into.
            provider: the provider that executes the runs; an asynchronous one gets an event loop for each run.
            storage_timeout: seconds to wait for a store that becomes unreachable during a run. After some thousand
                pending events the run waits too, and nothing is lost.
            pricing_table: prices by which a run gets its `cost_usd` when it ends, however it ends; see
                `QueryAPI.get_cost_summary`. A cost that the provider reports is kept.
        """
        self._store = session_store
        self._provider = synchronous(provider)
        self._prices = prices_of(pricing_table)
        self._patience = check_wait("storage_timeout", storage_timeout)
        # Each entry is set or taken in one step, so that a signal handler can read it.
        self._executions: dict[str, Execution] = {}

    # -- all at once -----------------------------------------------------------------------------------------------

    def run_once(
        self,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        *,
        agent_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> RunResult:
        """Execute one run in a new session, record it, and return its result.

        Events are stored while the run executes, and the last ones together with the final status of run and session.
        An exception is raised after everything is recorded. An interruption (Ctrl-C) ends the run, is recorded as a
        cancellation, and is raised again. If the process is killed, `close_abandoned` closes the session later.

        Args:
            input: the input of the run; a text is its ``prompt``, a list its ``messages``.
            agent_id: the agent; None: the provider's name.
            metadata: metadata of the session; its key "asm" is reserved for the process that executes the run.
            context: the context of the session.
            tags: the tags of the session.
            on_event: called with each event after it is stored, in order, in another thread, never concurrently. If it
                has a method `many`, that is called with lists of events instead. If it raises, the run is ended and
                recorded as failed, and the exception is raised.
            timeout: seconds after which the run is ended.

        Raises:
            ProviderError: the run failed (`details` are the provider's), was cancelled (``cancelled``), or timed out
                (``timeout``). `details` always have ``session_id`` and ``run_id``.
            StorageError: events could not be stored; ``events_not_recorded`` in `details` is their largest number.
        """
        session = Session.new(
            agent_id=self._provider.name if agent_id is None else agent_id,
            metadata={**check_no_stamp(metadata), STAMP_KEY: make_stamp()},
            context=context,
            tags=tags,
        )
        run = begun(self._new_run(session, input, None))
        events = [
            _session_event(EventType.SESSION_CREATED, session),
            _session_event(EventType.SESSION_STARTED, session),
            *first_events(run, self._provider.input_messages(run.input)),
        ]
        opening = ExecutionResult(
            session.with_status(SessionStatus.ACTIVE),
            run,
            events,
            expected_session_revision=0,
            expected_run_revision=0,
        )
        return self._execute(opening, run, closes_session=True, on_event=on_event, timeout=timeout)

    # -- sessions --------------------------------------------------------------------------------------------------

    def start_session(
        self,
        *,
        agent_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        parent_session_id: str | None = None,
    ) -> Session:
        """Store a new session, pending, with the event session_created."""
        session = Session.new(
            agent_id=self._provider.name if agent_id is None else agent_id,
            parent_session_id=parent_session_id,
            metadata=check_no_stamp(metadata),
            context=context,
            tags=tags,
        )
        created = [_session_event(EventType.SESSION_CREATED, session)]
        self._store.flush(ExecutionResult(session, None, created, expected_session_revision=0))
        return msgspec.structs.replace(session, revision=1)

    def activate_session(self, session_id: str) -> Session:
        """Activate a pending or paused session: session_started or session_resumed."""
        return self._step(session_id, SessionStatus.ACTIVE, EventType.SESSION_STARTED)

    def pause_session(self, session_id: str) -> Session:
        """Pause an active session: session_paused."""
        return self._step(session_id, SessionStatus.PAUSED, EventType.SESSION_PAUSED)

    def complete_session(self, session_id: str) -> Session:
        """End an active session as completed: session_completed."""
        return self._step(session_id, SessionStatus.COMPLETED, EventType.SESSION_COMPLETED)

    def fail_session(self, session_id: str, error: Payload | None = None) -> Session:
        """End an active session as failed: session_failed, with `error` in its data."""
        data = None if error is None else {"error": error}
        return self._step(session_id, SessionStatus.FAILED, EventType.SESSION_FAILED, data)

    # -- runs ------------------------------------------------------------------------------------------------------

    def start_run(
        self,
        session_id: str,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        *,
        metadata: Payload | None = None,
    ) -> Run:
        """Store a new pending run of an active session. `execute_run` records its begin."""
        session = self._store.get_session(session_id)
        if session.status is not SessionStatus.ACTIVE:
            raise InvalidTransitionError(
                f"Session {session_id} is {session.status}. Activate it before starting a run."
            )
        return self._store.save_run(self._new_run(session, input, metadata))

    def execute_run(self, run_id: str, *, on_event: OnEvent | None = None, timeout: float | None = None) -> RunResult:
        """Execute a pending run, and record it. Its session stays active in any case.

        Arguments and errors are those of `run_once`; the events of the result are those of the run. The key "asm" of
        the run's metadata names the process that executes it. If that process is killed, the run stays running until
        `cancel_run` or `asm_core.recording.abandoned.close_abandoned`.

        Raises:
            InvalidTransitionError: the run has ended, or another process or manager executes it.
        """
        run = begun(self._store.get_run(run_id))
        opening = opened(self._store, run, first_events(run, self._provider.input_messages(run.input)))
        return self._execute(opening, run, closes_session=False, on_event=on_event, timeout=timeout)

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run, from any thread. The caller that executes it gets a `ProviderError` after that is recorded.

        If the run has ended, this is a no-op. If no process executes it, or its process ran on this machine and has
        ended, it is recorded as cancelled.

        Raises:
            ProviderError: another manager executes it, or a process that is alive or cannot be checked from here.
        """
        for attempt in range(_ATTEMPTS):
            execution = self._executions.get(run_id)
            if execution is not None:
                execution.stop(cancelled("The run was cancelled."))
                return
            run = self._store.get_run(run_id)
            if run.status in TERMINAL_RUN_STATUSES:
                return
            check_not_executed(run)
            outcome = cancelled("The run was cancelled while no process executed it.")
            try:
                self._store.flush(
                    closed(self._store, run, priced(outcome.close_run(run), self._prices), [outcome.run_event(run)])
                )
            except (AlreadyExistsError, InvalidTransitionError, RevisionConflictError):
                # Another process began, ended or changed it meanwhile.
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    # -- shared ----------------------------------------------------------------------------------------------------

    def _execute(
        self,
        opening: ExecutionResult,
        run: Run,
        *,
        closes_session: bool,
        on_event: OnEvent | None,
        timeout: float | None,
    ) -> RunResult:
        return Execution(
            self._store,
            self._provider,
            run,
            executions=self._executions,
            closes_session=closes_session,
            on_event=on_event,
            timeout=None if timeout is None else check_wait("timeout", timeout),
            patience=self._patience,
            prices=self._prices,
        ).carry_out(opening)

    def _step(self, session_id: str, status: SessionStatus, kind: EventType, data: Payload | None = None) -> Session:
        for attempt in range(_ATTEMPTS):
            session = self._store.get_session(session_id)
            if kind is EventType.SESSION_STARTED and session.status is SessionStatus.PAUSED:
                kind = EventType.SESSION_RESUMED
            stepped = session.with_status(status)
            ends = end_id(session) if status in TERMINAL_SESSION_STATUSES else None
            event = Event.new(id=ends, type=kind, session_id=session.id, data=data)
            result = ExecutionResult(stepped, None, [event], expected_session_revision=session.revision)
            try:
                self._store.flush(result)
            except AlreadyExistsError as error:
                raise InvalidTransitionError(f"Session {session.id} was ended by another process meanwhile.") from error
            except RevisionConflictError:  # another process changed it meanwhile
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return msgspec.structs.replace(stepped, revision=session.revision + 1)
        raise AssertionError  # the last attempt returns or raises

    def _new_run(
        self,
        session: Session,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        metadata: Payload | None,
    ) -> Run:
        given = (
            {"prompt": input} if isinstance(input, str) else {"messages": input} if isinstance(input, list) else input
        )
        return Run.new(
            session_id=session.id, input=given, metadata=check_no_stamp(metadata), provider=self._provider.name
        )


def synchronous(provider: Provider | AsyncProvider) -> Provider:
    """Return a provider that runs in threads: the given one, or one whose threads wait for the asynchronous one."""
    if isinstance(provider, AsyncProvider):
        from asm_core.recording.async_provider import InLoop  # noqa: PLC0415  it imports asyncio

        return InLoop(provider)
    return provider if isinstance(provider, Provider) else Wrapper(provider)


def _session_event(kind: EventType, session: Session) -> Event:
    return Event.new(type=kind, session_id=session.id)
