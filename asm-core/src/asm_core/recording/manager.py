"""Execution and recording of agents."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from asm_core.errors import AlreadyExistsError, BusyError, InvalidTransitionError, RevisionConflictError
from asm_core.event_log.batches import CheckedEvents
from asm_core.event_log.waiting import check_wait
from asm_core.models import TERMINAL_RUN_STATUSES, Event, EventType, Run, RunStatus, Session, SessionStatus
from asm_core.models.base import check_instance, check_natural
from asm_core.models.session import STAMP_KEY
from asm_core.ports import AsyncProvider, ExecutionResult, Provider
from asm_core.querying.accounting.prices import prices_of
from asm_core.querying.queries import check_optional_limit
from asm_core.recording.execution.execution import Execution
from asm_core.recording.execution.offloading import OFFLOAD_OVER, Offloading
from asm_core.recording.execution.options import Continuation, Options, check_continuation, check_lease
from asm_core.recording.execution.supervisor import Supervisor
from asm_core.recording.lifecycle.claims import (
    ATTEMPTS,
    begun,
    cancel_request,
    closed,
    first_events,
    is_executed,
    opened,
)
from asm_core.recording.lifecycle.leases import leased
from asm_core.recording.lifecycle.metering import priced
from asm_core.recording.lifecycle.outcomes import cancelled
from asm_core.recording.lifecycle.process_identity import check_no_stamp, make_stamp
from asm_core.recording.policies import check_policies
from asm_core.recording.queueing import RunQueue
from asm_core.recording.session_steps import SessionSteps, session_event
from asm_core.recording.streams import RunStream
from asm_core.recording.wrapping import Wrapper
from asm_core.redaction import Redactor
from asm_core.redaction.recorded import Redaction
from asm_core.retrying import RetryPolicy
from asm_core.tracing import Tracing, untraced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.models import StoredEvent
    from asm_core.ports import Artifacts, QueryAPI, SessionStore
    from asm_core.querying.accounting.prices import Prices, PricingTable
    from asm_core.recording.execution.listeners import OnEvent
    from asm_core.recording.execution.options import ContinuationChoice
    from asm_core.recording.execution.results import RunResult
    from asm_core.recording.policies import Policy
    from asm_core.values.payloads import Payload


class SessionManager:
    """Executes runs with a provider, and records them in a session store. Safe to share between threads.

    `run_once` executes a single run in its own session, `run` the next turn of a conversation, and `stream` does the
    same as an iterator of events. The other methods are single steps: each stores a change of status together with its
    event, all or nothing. They join a transaction of the calling thread. The execution of a run cannot join it, because
    other threads store events meanwhile.

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
        retry: RetryPolicy | None = None,
        lease: float = 60.0,
        max_runs: int | None = None,
        parallel_runs: bool = False,
        queue_timeout: float = 0.0,
        max_history_messages: int | None = None,
        max_history_tokens: int | None = None,
        policies: Iterable[Policy] = (),
        query_api: QueryAPI | None = None,
        redactor: Redactor | None = None,
        artifacts: Artifacts | None = None,
        offload_over: int = OFFLOAD_OVER,
        tracing: Tracing | None = None,
    ) -> None:
        """Record runs of `provider` into `session_store`.

        Args:
            session_store: the store to record into.
            provider: the provider that executes the runs; an asynchronous one gets an event loop for each run.
            storage_timeout: seconds to wait for a store that becomes unreachable during a run. After some thousand
                pending events the run waits too, and nothing is lost.
            pricing_table: prices by which a run gets its `cost_usd` when it ends, however it ends; see
                `QueryAPI.get_cost_summary`. A cost that the provider reports is kept.
            retry: how often a run is tried whose provider fails with a retryable error; None: once. Each try is in the
                log: ``error_occurred`` with `attempt` and `retry_in`, and ``error_recovered``.
            lease: seconds after which another machine may close a run of this process as abandoned. It is renewed while
                the run executes.
            max_runs: the largest number of runs at once; None: any number.
            parallel_runs: allow several runs at once in a session.
            queue_timeout: seconds that a run waits for its turn: for the end of another run in its session, by whatever
                process, and for one of `max_runs`.
            max_history_messages: the largest number of messages of the conversation that a provider gets.
            max_history_tokens: the largest number of tokens of these messages, as `read_messages` counts them.
            policies: budgets, and which tools may be called: `Budget`, `ToolPolicy`.
            query_api: that of the backend, for budgets of sessions and users.
            redactor: takes secrets out of events, of the input, output, error and metadata of runs, and of the metadata
                and context of new sessions, before they are stored. The provider gets the input as it was given, but
                the conversation as it is stored. None: everything is stored as it is.
            artifacts: artifacts of the same backend, which get large values after the redaction: what tools got and
                returned, and images and files of messages, in events and in the input of runs. References replace the
                values; `read_messages` and `resolve_references` follow them, and the provider gets the values. None:
                everything is stored in the events.
            offload_over: the size in bytes over which a value goes there.
            tracing: makes spans of OpenTelemetry for runs and what they call; None: there are none.

        Raises:
            ValidationError: an option has an invalid value.
        """
        self._store = session_store
        self._provider = synchronous(provider)
        self._options = Options(
            patience=check_wait("storage_timeout", storage_timeout),
            prices=prices_of(pricing_table),
            retry=RetryPolicy(attempts=1) if retry is None else check_instance(RetryPolicy, retry),
            lease=check_lease(lease),
            exclusive=not parallel_runs,
            policies=check_policies(policies, query_api),
            redaction=Redaction(None if redactor is None else check_instance(Redactor, redactor)),
            offloading=Offloading(artifacts, offload_over),
            max_history_messages=check_optional_limit(max_history_messages),
            max_history_tokens=check_optional_limit(max_history_tokens),
            tracing=None if tracing is None else check_instance(Tracing, tracing),
        )
        self._sessions = SessionSteps(session_store, self._options.redaction)
        # Each entry is set or taken in one step, so that a signal handler can read it.
        self._executions: dict[str, Execution] = {}
        self._supervisor = Supervisor(untraced(session_store), self._executions, self._options.lease)
        limit = None if max_runs is None else check_natural("max_runs", max_runs, least=1)
        self._queue = RunQueue(session_store, limit, check_wait("queue_timeout", queue_timeout))

    # -- all at once -----------------------------------------------------------------------------------------------

    def run_once(
        self,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        *,
        agent_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        user_id: str | None = None,
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
            user_id: the user of the session.
            on_event: called with each event after it is stored, in order, in another thread, never concurrently. If it
                has a method `many`, that is called with lists of events instead. If it raises, the run is ended and
                recorded as failed, and the exception is raised.
            timeout: seconds after which the run is ended.

        Raises:
            ProviderError: the run failed (`details` are the provider's), was cancelled (``cancelled``), or timed out
                (``timeout``). `details` always have ``session_id`` and ``run_id``.
            StorageError: events could not be stored; ``events_not_recorded`` in `details` is their largest number.
            BusyError: the manager executes `max_runs` runs already, for longer than `queue_timeout`.
        """
        session = self._options.redaction.session(
            Session.new(
                agent_id=self._provider.name if agent_id is None else agent_id,
                user_id=user_id,
                metadata={**check_no_stamp(metadata), STAMP_KEY: make_stamp()},
                context=context,
                tags=tags,
            )
        )
        run = begun(self._new_run(session, input, None), self._options.lease)
        events = [
            session_event(EventType.SESSION_CREATED, session),
            session_event(EventType.SESSION_STARTED, session),
            *first_events(run, self._provider.input_messages(run.input)),
        ]
        opening = ExecutionResult(
            session.with_status(SessionStatus.ACTIVE),
            run,
            events,
            expected_session_revision=0,
            expected_run_revision=0,
        )
        execution = self._execution(run, closes_session=True, on_event=on_event, timeout=timeout)
        with self._queue.turn(None):
            return execution.carry_out(opening)

    def run(
        self,
        session_id: str,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        *,
        continuation: ContinuationChoice = "auto",
        metadata: Payload | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> RunResult:
        """Execute the next run of a session, record it, and return its result. The session stays active in any case.

        A pending session is activated. Arguments and errors that are not named are those of `run_once`; the events of
        the result are those of the run.

        Args:
            session_id: the session.
            input: the input of the run.
            continuation: the conversation that the provider gets: ``"replay"`` that of the session, False that of the
                run alone, ``"auto"`` that of the session unless the provider keeps the conversation itself.
            metadata: metadata of the run; its keys "asm" and "asm_lease" are reserved.
            on_event: called with each event after it is stored.
            timeout: seconds after which the run is ended.

        Raises:
            InvalidTransitionError: the session is not active.
            BusyError: another run of the session is executed, for longer than `queue_timeout`.
        """
        session = self._store.get_session(session_id)
        if session.status is SessionStatus.PENDING:
            with suppress(InvalidTransitionError):  # another run activated it
                self.activate_session(session_id)
        run = begun(self._new_run(session, input, metadata), self._options.lease)
        return self._in_turn(run, continuation=continuation, on_event=on_event, timeout=timeout)

    def stream(
        self,
        session_id: str,
        input: Payload | str | list[Payload],  # noqa: A002  the name of the field
        *,
        continuation: ContinuationChoice = "auto",
        metadata: Payload | None = None,
        timeout: float | None = None,
    ) -> RunStream:
        """Execute the next run of a session, as `run` does, and return an iterator of its events as they are stored.

        The run begins at once, in another thread. The iterator ends with the run, and raises its error. If it is
        closed before, or forgotten, the run is cancelled. A consumer that is slow slows the run down.
        """
        return RunStream(
            partial(self.run, session_id, input, continuation=continuation, metadata=metadata, timeout=timeout),
            self.cancel_run,
        )

    # -- sessions --------------------------------------------------------------------------------------------------

    def start_session(
        self,
        *,
        agent_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        parent_session_id: str | None = None,
        user_id: str | None = None,
        title: str | None = None,
    ) -> Session:
        """Store a new session, pending, with the event session_created."""
        session = Session.new(
            agent_id=self._provider.name if agent_id is None else agent_id,
            user_id=user_id,
            title=title,
            parent_session_id=parent_session_id,
            metadata=check_no_stamp(metadata),
            context=context,
            tags=tags,
        )
        return self._sessions.start(session)

    def activate_session(self, session_id: str) -> Session:
        """Activate a pending or paused session: session_started or session_resumed."""
        return self._sessions.step(session_id, SessionStatus.ACTIVE, EventType.SESSION_STARTED)

    def pause_session(self, session_id: str) -> Session:
        """Pause an active session: session_paused."""
        return self._sessions.step(session_id, SessionStatus.PAUSED, EventType.SESSION_PAUSED)

    def resume_session(self, session_id: str) -> Session:
        """Activate a paused session: session_resumed."""
        return self._sessions.step(session_id, SessionStatus.ACTIVE, EventType.SESSION_RESUMED)

    def complete_session(self, session_id: str) -> Session:
        """End an active session as completed: session_completed."""
        return self._sessions.step(session_id, SessionStatus.COMPLETED, EventType.SESSION_COMPLETED)

    def fail_session(self, session_id: str, error: Payload | None = None) -> Session:
        """End an active session as failed: session_failed, with `error` in its data."""
        data = None if error is None else {"error": error}
        return self._sessions.step(session_id, SessionStatus.FAILED, EventType.SESSION_FAILED, data)

    def cancel_session(self, session_id: str) -> Session:
        """Cancel the runs of a session, then end it as cancelled: session_cancelled.

        A run that another process executes is asked to end, and ends soon; see `cancel_run`.
        """
        for run in self._store.list_runs(session_id, status=(RunStatus.PENDING, RunStatus.RUNNING)):
            self.cancel_run(run.id)
        return self._sessions.step(session_id, SessionStatus.CANCELLED, EventType.SESSION_CANCELLED)

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
        return self._store.save_run(self._options.stored_run(self._new_run(session, input, metadata)))

    def execute_run(self, run_id: str, *, on_event: OnEvent | None = None, timeout: float | None = None) -> RunResult:
        """Execute a pending run, and record it. Its session stays active in any case.

        Arguments and errors are those of `run_once`; the events of the result are those of the run. The key "asm" of
        the run's metadata names the process that executes it. If that process is killed, the run stays running until
        `cancel_run` or `asm_core.recording.abandoned.close_abandoned`.

        Raises:
            InvalidTransitionError: the run has ended, its session is not active, or another process or manager
                executes it.
            BusyError: another run of the session is executed, for longer than `queue_timeout`.
        """
        run = begun(self._options.offloading.resolved(self._store.get_run(run_id)), self._options.lease)
        return self._in_turn(run, continuation="auto", on_event=on_event, timeout=timeout)

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run, from any thread or process. The caller that executes it gets a `ProviderError` after that.

        If the run has ended, this is a no-op. If another manager executes it, this returns once the request is stored,
        as an event ``asm.cancel_requested``; that manager asks its provider within a tenth of a second, and records the
        end. If no process executes it, or its process has ended, it is recorded as cancelled here.
        """
        for attempt in range(ATTEMPTS):
            execution = self._executions.get(run_id)
            if execution is not None:
                execution.stop(cancelled("The run was cancelled."))
                return
            run = self._store.get_run(run_id)
            if run.status in TERMINAL_RUN_STATUSES:
                return
            if is_executed(run):
                self._store.append_events(CheckedEvents([cancel_request(run)]))
                return
            outcome = cancelled("The run was cancelled while no process executed it.")
            try:
                ended = priced(outcome.close_run(run), self._options.prices)
                self._store.flush(closed(self._store, run, ended, outcome.events(run)))
            except (AlreadyExistsError, InvalidTransitionError, RevisionConflictError):
                # Another process began, ended or changed it meanwhile.
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def answer_tool_call(
        self, run_id: str, tool_call_id: str, *, allowed: bool, reason: str | None = None
    ) -> StoredEvent:
        """Answer the question of a `ToolPolicy` whether a tool may be called, from any process.

        The executing manager sees the event, ``tool_approval_granted`` or ``tool_approval_denied``, at once.
        """
        run = self._store.get_run(run_id)
        kind = EventType.TOOL_APPROVAL_GRANTED if allowed else EventType.TOOL_APPROVAL_DENIED
        data = {"tool_call_id": tool_call_id, **({} if reason is None else {"reason": reason})}
        answer = Event.new(type=kind, session_id=run.session_id, run_id=run.id, provider=run.provider, data=data)
        return self._store.append_event(self._options.redaction.event(answer))

    # -- shared ----------------------------------------------------------------------------------------------------

    def _in_turn(self, run: Run, *, continuation: object, on_event: OnEvent | None, timeout: float | None) -> RunResult:
        """Execute a run in an existing session, as soon as that executes no other one."""
        chosen, session_id = check_continuation(continuation), run.session_id
        if run.id in self._executions:
            raise InvalidTransitionError(f"Run {run.id} is already being executed.")
        with self._queue.turn(session_id if self._options.exclusive else None) as deadline:
            while True:
                last = self._store.get_latest_sequence(session_id)
                run = leased(run, self._options.lease)
                execution = self._execution(
                    run, closes_session=False, continuation=chosen, on_event=on_event, timeout=timeout
                )
                try:
                    events = first_events(run, self._provider.input_messages(run.input))
                    return execution.carry_out(opened(self._store, run, events, exclusive=self._options.exclusive))
                except BusyError as error:
                    if execution.has_begun:
                        raise  # that of a run which the provider began
                    self._queue.wait_for_end(error, session_id, last, deadline)

    def _execution(
        self,
        run: Run,
        *,
        closes_session: bool,
        on_event: OnEvent | None,
        timeout: float | None,
        continuation: Continuation = Continuation.REPLAY,
    ) -> Execution:
        return Execution(
            self._store,
            self._provider,
            run,
            executions=self._executions,
            supervisor=self._supervisor,
            closes_session=closes_session,
            on_event=on_event,
            timeout=None if timeout is None else check_wait("timeout", timeout),
            continuation=continuation,
            options=self._options,
        )

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
