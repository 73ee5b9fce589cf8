"""The port for writing and reading sessions, runs and events."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from asm_core.errors import (
    NotFoundError,
    RevisionConflictError,
    RunNotFoundError,
    SessionNotFoundError,
    ValidationError,
    short_repr,
)
from asm_core.event_log.batches import check_new_events
from asm_core.event_log.erasing import Erased, deletions, erase, redactions
from asm_core.event_log.following import Follower
from asm_core.event_log.forks import MAX_FORK_EVENTS, fork
from asm_core.event_log.resuming import check_last, find_after, head_of
from asm_core.event_log.steps import carry_out, waits
from asm_core.event_log.updating import Expected, check_change, check_expected, find_repeated, save, update
from asm_core.event_log.waiting import Watcher, check_wait
from asm_core.event_log.waiting_reads import Following, await_events
from asm_core.models import Event, Run, RunStatus, Session
from asm_core.models.base import check_instance, check_natural
from asm_core.models.statuses import check_event_type, check_run_status, check_session_status
from asm_core.querying.queries import (
    EVENT_ORDERS,
    RUN_ORDERS,
    EventQuery,
    RunQuery,
    SessionQuery,
    allows_nothing,
    check_choice,
    check_optional_limit,
)
from asm_core.values.ids import check_name
from asm_core.values.payloads import Payload, check_optional_payload, check_payload
from asm_core.values.times import check_optional_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.event_log.group_commit import GroupCommit
    from asm_core.models import EventType, SessionStatus, StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.lagging import LaggingReader
    from asm_core.querying.queries import Order
    from asm_core.querying.reader import Reader


class ExecutionResult(msgspec.Struct, frozen=True):
    """The result of an execution, to be stored in one transaction.

    Attributes:
        session: the session in its new state.
        run: the run in its new state, if there is one.
        events: the events to append, in this order.
        provider_metadata: keys to merge into the run's `provider_metadata`.
        expected_session_revision: store nothing unless the stored session has this revision; 0: is not stored.
        expected_run_revision: the same for the run.
    """

    session: Session
    run: Run | None = None
    events: Sequence[Event] = ()
    provider_metadata: Payload | None = None
    expected_session_revision: int | None = None
    expected_run_revision: int | None = None


class SessionStore(ABC):
    """Stores sessions, runs and the append-only log of each session.

    All arguments are checked before the database is used (`ValidationError`). Ids are strings. Statuses and types can
    be given as members or as strings. A filter that takes a single value also takes an iterable: any of its values
    matches. Any method may raise `StorageError`; a `StorageConnectionError` is retryable.

    Attributes:
        reader: answers query objects.
        group_commit: commits appends of many callers together; None: each append is committed by itself.
    """

    group_commit: GroupCommit | None = None

    def __init__(
        self, reader: Reader, watching: SessionStore | None = None, *, lagging: LaggingReader | None = None
    ) -> None:
        """Read with `reader`.

        Args:
            reader: answers query objects.
            watching: in a transaction, the backend's own store: waiters wait for what is committed.
            lagging: reads for followers from a replica; None: they read with `reader`.
        """
        self.reader = reader
        self._watching = watching
        self._lagging = lagging
        self._watchers: dict[tuple[int, bool], Watcher] = {}

    # -- sessions ------------------------------------------------------------------------------------------------

    def save_session(self, session: Session, *, expected_revision: int | None = None) -> Session:
        """Insert the session, or replace the stored one except for `deleted_at`; return it as stored.

        Only maintenance sets and clears `deleted_at`. The value in `session` is ignored: a stored session keeps its
        own, and a new one has none. The store counts saves in `revision`; the value in `session` is ignored too.

        With `expected_revision`, save only if the stored session has this revision; 0: only if it is not stored. If
        the same content is stored under the next revision, this save is a repeat, and succeeds.

        Raises:
            RevisionConflictError: it has another revision: another writer saved it.
        """
        session = _checked_live(session)
        expected = check_expected("expected_revision", expected_revision)
        return save(session, expected, self._save_session, self.reader.load_session)

    def update_session(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        """Read the session, save what `change` returns for it, and return that as stored. No update is lost.

        If another writer saves the session at the same time, it is read again and changed again, so `change` must
        have no other effects. After a lost connection nothing is repeated: the change may be stored.

        Raises:
            SessionNotFoundError: the session does not exist.
            RevisionConflictError: other writers saved the session at each of many attempts.
            ValidationError: `change` returns another session, or no session.
        """
        check_change(change)
        return update(
            lambda: self.get_session(session_id),
            lambda read: _checked_live(change(read)),
            self._save_session,
        )

    def get_session(self, session_id: str) -> Session:
        """Return the session, also if it is soft-deleted.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        session = self.reader.load_session(check_name("session_id", session_id))
        if session is None:
            raise SessionNotFoundError(session_id)
        return session

    def list_sessions(
        self,
        *,
        status: SessionStatus | str | Iterable[SessionStatus | str] | None = None,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Session]:
        """Return the sessions that are not soft-deleted, newest first (`created_at`, then id, descending).

        An offset after the last session returns an empty list. For pages, use `QueryAPI.search_sessions`.
        """
        query = SessionQuery(
            statuses=check_choice("status", status, lambda _, value: check_session_status(value)),
            agent_ids=check_choice("agent_id", agent_id, check_name),
            user_ids=check_choice("user_id", user_id, check_name),
            limit=check_optional_limit(limit),
            offset=check_natural("offset", offset),
        )
        return [] if allows_nothing(query) else self.reader.find_sessions(query)

    def delete_session(self, session_id: str) -> None:
        """Remove the session with its runs and events permanently. If it does not exist, this is a no-op.

        Its artifacts stay until `Maintenance.clean_orphaned_artifacts`, because their blobs are stored elsewhere.
        """
        self._delete_session(check_name("session_id", session_id))

    # -- runs ----------------------------------------------------------------------------------------------------

    def save_run(self, run: Run, *, expected_revision: int | None = None) -> Run:
        """Insert the run, or replace the stored one; return it as stored.

        `revision` and `expected_revision` are those of `save_session`.

        Raises:
            RevisionConflictError: the run has another revision than the expected one.
            SessionNotFoundError: its session does not exist.
            SessionDeletedError: its session is soft-deleted.
            AlreadyExistsError: a run of another session has the id.
            InvalidTransitionError: the stored run has ended (completed, failed, cancelled or timeout), and `run` has
                another status.
        """
        run = check_instance(Run, run).checked()
        expected = check_expected("expected_revision", expected_revision)
        return save(run, expected, self._save_run, self.reader.load_run)

    def update_run(self, run_id: str, change: Callable[[Run], Run]) -> Run:
        """Read the run, save what `change` returns for it, and return that as stored, as `update_session` does.

        Raises:
            RunNotFoundError: the run does not exist.
            RevisionConflictError: other writers saved the run at each of many attempts.
            ValidationError: `change` returns another run, or no run.
            SessionDeletedError: its session is soft-deleted.
            InvalidTransitionError: the run has ended, and `change` returns another status.
        """
        check_change(change)
        return update(
            lambda: self.get_run(run_id), lambda read: check_instance(Run, change(read)).checked(), self._save_run
        )

    def get_run(self, run_id: str) -> Run:
        """Return the run.

        Raises:
            RunNotFoundError: the run does not exist.
        """
        run = self.reader.load_run(check_name("run_id", run_id))
        if run is None:
            raise RunNotFoundError(run_id)
        return run

    def list_runs(
        self,
        session_id: str,
        *,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Return the runs of a session, oldest first (`started_at`, then id).

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        query = RunQuery(
            session_ids=(check_name("session_id", session_id),),
            statuses=check_choice("status", status, lambda _, value: check_run_status(value)),
            limit=check_optional_limit(limit),
        )
        runs = [] if allows_nothing(query) else self.reader.find_runs(query)
        if not runs:
            self.get_session(session_id)
        return runs

    def get_active_run(self, session_id: str) -> Run | None:
        """Return the newest running run of a session, or None.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        query = RunQuery(
            session_ids=(check_name("session_id", session_id),),
            statuses=(RunStatus.RUNNING,),
            order=RUN_ORDERS["started_at_desc"],
            limit=1,
        )
        runs = self.reader.find_runs(query)
        if not runs:
            self.get_session(session_id)
        return runs[0] if runs else None

    # -- events --------------------------------------------------------------------------------------------------

    def append_event(self, event: Event) -> StoredEvent:
        """Append an event to its session's log and return it as stored, with its `sequence_number`.

        If the id is already stored, nothing is stored and the stored event is returned.

        Raises:
            SessionNotFoundError: the session does not exist.
            SessionDeletedError: the session is soft-deleted, even if the event is already stored.
            AlreadyExistsError: the id is stored with another session, run, type or data.
            ValidationError: the event already has a sequence number; only the store assigns it.
        """
        return self.append_events([event])[0]

    def append_events(self, events: Iterable[Event]) -> list[StoredEvent]:
        """Append events, all or none, and return them as stored, in the given order.

        They may belong to several sessions. An id that occurs twice, in the batch or in the store, is stored once. An
        empty batch is a no-op.

        Raises:
            SessionNotFoundError: a session does not exist.
            SessionDeletedError: a session is soft-deleted, even if its events are already stored.
            AlreadyExistsError: an id is stored, or occurs twice, with another session, run, type or data.
            ValidationError: an event already has a sequence number; only the store assigns it.
        """
        checked = check_new_events(_check_iterable("events", events))
        if not checked:
            return []
        stored = self._append(checked)
        self._notify()
        return stored

    def flush(self, result: ExecutionResult) -> list[StoredEvent]:
        """Store the session, run and events of an execution, all or nothing; return the events as stored.

        Raises:
            SessionNotFoundError: the session of an event or of the run is not stored, and is not `result.session`.
            SessionDeletedError: one of these sessions is soft-deleted.
            AlreadyExistsError: as for `append_events` and `save_run`.
            InvalidTransitionError: as for `save_run`.
            RevisionConflictError: the session or the run has another revision than the expected one. A repeat of a
                flush that was stored succeeds.
        """
        result = check_instance(ExecutionResult, result)
        session = _checked_live(result.session)
        run = None if result.run is None else check_instance(Run, result.run).checked()
        metadata = check_optional_payload("provider_metadata", result.provider_metadata)
        if metadata is not None:
            if run is None:
                message = "provider_metadata is given without a run. Give the run too."
                raise ValidationError(message)
            run = run.with_provider_metadata(metadata)
        events = check_new_events(_check_iterable("events", result.events))
        expected = Expected(
            check_expected("expected_session_revision", result.expected_session_revision),
            check_expected("expected_run_revision", result.expected_run_revision),
        )
        try:
            stored = self._flush(session, run, events, expected)
        except RevisionConflictError:
            repeated = find_repeated(self.reader, session, run, events, expected)
            if repeated is None:
                raise
            return repeated
        self._notify()
        return stored

    @waits
    def get_events(
        self,
        session_id: str,
        *,
        run_id: str | Iterable[str] | None = None,
        type: EventType | str | Iterable[EventType | str] | None = None,  # noqa: A002  the field's name
        since: datetime | None = None,
        after: int | Event | None = None,
        before: int | None = None,
        limit: int | None = None,
        order: str = "asc",
        wait_timeout: float = 0.0,
    ) -> list[StoredEvent]:
        """Return the events of a session in the order of their numbers.

        The last events of a log, ``order="desc", limit=20``, cost as much as the first, however long the log is.

        Args:
            session_id: the session.
            run_id: only events of this run.
            type: only events of this type.
            since: only events with this timestamp or a later one.
            after: only events after this number, or after this event, as the store returned it. For an event, the log
                is checked to still contain it.
            before: only events before this number.
            limit: the largest number of events to return; 0 returns none.
            order: ``asc``, from the first number, or ``desc``, from the last.
            wait_timeout: if no event matches, wait up to this many seconds for the first.

        Raises:
            SessionNotFoundError: the session does not exist.
            LogSetBackError: `after` is an event that the log no longer contains and that was not pruned.
        """
        last = after if isinstance(after, Event) else None
        query = EventQuery(
            session_ids=(check_name("session_id", session_id),),
            run_ids=check_choice("run_id", run_id, check_name),
            types=check_choice("type", type, lambda _, value: check_event_type(value)),
            since=check_optional_time("since", since),
            after=None if after is None else _check_after(session_id, after),
            before=None if before is None else check_natural("before", before),
            limit=check_optional_limit(limit),
            order=_check_direction(order),
        )
        timeout = check_wait("wait_timeout", wait_timeout)
        if events := find_after(self.reader, query, last):
            return events
        if timeout:
            return carry_out(await_events(self.reader, query, last, timeout), lambda: self._watcher)
        head_of(self.reader, session_id)
        return []

    def get_event(self, event_id: str, *, session_id: str | None = None) -> StoredEvent:
        """Return the event with this id.

        Args:
            event_id: the id of the event.
            session_id: the session whose log contains the event, if the caller has it. An event of another session is
                not found. A backend without the capability `global_event_ids` needs it.

        Raises:
            NotFoundError: the event does not exist, or was pruned.
            UnsupportedCapabilityError: without `session_id`, the backend does not declare `global_event_ids`.
        """
        if session_id is None:
            self._check_global_ids()
        query = EventQuery(
            ids=(check_name("event_id", event_id),),
            session_ids=None if session_id is None else (check_name("session_id", session_id),),
            limit=1,
        )
        for event in self.reader.find_events(query):
            return event
        where = "" if session_id is None else f" in session {short_repr(session_id)}"
        message = f"No event has the id {short_repr(event_id)}{where}. It was never stored, or was pruned."
        raise NotFoundError(message, details={"event_id": event_id, "session_id": session_id})

    def get_latest_sequence(self, session_id: str) -> int:
        """Return the last sequence number of a session; 0 before the first event.

        Raises:
            SessionNotFoundError: the session does not exist.
        """
        return head_of(self.reader, check_name("session_id", session_id)).last_sequence

    def follow_events(
        self,
        session_id: str,
        *,
        after: int | Event = 0,
        run_id: str | Iterable[str] | None = None,
        type: EventType | str | Iterable[EventType | str] | None = None,  # noqa: A002  the field's name
        idle_timeout: float | None = None,
    ) -> Iterator[StoredEvent]:
        """Yield the events after `after`, then each new event when it is committed, in order and without omission.

        Ends after `idle_timeout` seconds without a new event (None: never). Memory use does not grow.

        `after` is a number, or an event of this session as the store returned it. Only an event is checked against the
        log. A restarted reader passes the last event that it handled.

        Raises:
            SessionNotFoundError: the session does not exist, or was deleted while it was followed.
            LogSetBackError: the log lost events that were yielded, or `after`; or the session was deleted and created
                again. Pruned events do not count as lost.
        """
        query = EventQuery(
            session_ids=(check_name("session_id", session_id),),
            run_ids=check_choice("run_id", run_id, check_name),
            types=check_choice("type", type, lambda _, value: check_event_type(value)),
            after=_check_after(session_id, after),
        )
        timeout = None if idle_timeout is None else check_wait("idle_timeout", idle_timeout)
        last = after if isinstance(after, Event) else None
        follower = Follower(self.reader, query, last, self._lagging)
        return Following(follower, session_id, timeout, lambda: self._watcher_of(lags=self._lagging is not None))

    # -- erasure ---------------------------------------------------------------------------------------------------

    def delete_events(
        self,
        session_id: str,
        *,
        ids: str | Iterable[str] | None = None,
        run_id: str | Iterable[str] | None = None,
        type: str | Iterable[str] | None = None,  # noqa: A002  the field's name
        after: int | None = None,
        before: int | None = None,
    ) -> Erased:
        """Delete the events of a session that match all given filters; return their number, and what is pending.

        Numbers stay used, followers continue, and totals of runs do not change. A deleted id may be stored again,
        under a new number. Events are deleted in batches of some hundred; an interrupted call keeps the batches that
        it committed. A soft-deleted session is changed too. The content does not remain in a SQLite file or its
        write-ahead log, unless the result's `is_pending` is set.

        Raises:
            SessionNotFoundError: the session does not exist.
            ValidationError: no filter is given; ``after=0`` deletes all events.
        """
        if ids is None and run_id is None and type is None and after is None and before is None:
            message = "delete_events needs ids, run_id, type, after or before. To delete all events, give after=0."
            raise ValidationError(message)
        query = EventQuery(
            session_ids=(check_name("session_id", session_id),),
            ids=check_choice("ids", ids, check_name),
            run_ids=check_choice("run_id", run_id, check_name),
            types=check_choice("type", type, lambda _, value: check_event_type(value)),
            after=None if after is None else check_natural("after", after),
            before=None if before is None else check_natural("before", before),
        )
        self.get_session(session_id)
        batches = iter(()) if allows_nothing(query) else deletions(self.reader, query, self._remove_events)
        return erase(batches, self._finish_erasure)

    def redact_events(self, session_id: str, ids: str | Iterable[str], *, data: Payload | None = None) -> Erased:
        """Replace the data of these events by `data`, and their metadata by a mark; return the number of events.

        The key ``asm_redacted`` of the metadata then has the time. The events keep their ids, numbers and all other
        fields. A redacted event that is appended or restored again matches without its data, and stays redacted. Ids
        that the session's log does not contain are skipped. Batches and `is_pending` are those of `delete_events`.

        Raises:
            SessionNotFoundError: the session does not exist.
            ValidationError: an id or `data` is invalid.
        """
        name = check_name("session_id", session_id)
        chosen = check_choice("ids", ids, check_name) or ()
        content = check_payload("data", {} if data is None else data)
        self.get_session(session_id)
        batches = redactions(chosen, lambda some, mark: self._redact_events(name, some, content, mark))
        return erase(batches, self._finish_erasure)

    def fork_session(self, session_id: str, *, at: int | None = None, max_events: int = MAX_FORK_EVENTS) -> Session:
        """Store a new session that begins with the events of another, all or nothing, and return it.

        The copies have new ids, and keep their numbers and the gaps between them. The fork is pending, has
        `parent_session_id`, and has the agent, user, title, metadata, context and tags of the original.

        Runs and artifacts are not copied. Events of one run have one new run id, so no usage counts twice.

        Args:
            session_id: the session to copy; it may be soft-deleted.
            at: the last number to copy; None: the last number of the log; 0: no events.
            max_events: the largest number of events to copy, because one transaction holds them.

        Raises:
            SessionNotFoundError: the session does not exist.
            ValidationError: `at` is after the last number, or there are more than `max_events` events.
        """
        last = None if at is None else check_natural("at", at)
        most = check_natural("max_events", max_events)
        session, events, last = fork(self.reader, check_name("session_id", session_id), last, most)
        self.restore_session(session, (), events, last_sequence=last)
        return self.get_session(session.id)

    # -- copies --------------------------------------------------------------------------------------------------

    def restore_session(
        self,
        session: Session,
        runs: Iterable[Run] = (),
        events: Iterable[Event] = (),
        *,
        last_sequence: int = 0,
        replace: bool = False,
    ) -> int:
        """Store an exact copy of a session or of a part of it, all or nothing; return the number of new events.

        For imports and archives; to record new events, append them. Events keep their numbers and the gaps that
        pruning left. The session's counter is raised to at least `last_sequence` and the greatest number. Stored
        records stay as they are, so that the call can be repeated; with `replace`, a stored session and stored runs
        become equal to the copies. `deleted_at` is copied too, and a soft-deleted session accepts copies.

        Raises:
            AlreadyExistsError: another event has an id or a number, or a run of another session has a run's id.
            ValidationError: an event has no number, or a run or event belongs to another session.
        """
        session = check_instance(Session, session).checked()
        checked_runs = [check_instance(Run, run).checked() for run in _check_iterable("runs", runs)]
        checked_events = [check_instance(Event, event).checked() for event in _check_iterable("events", events)]
        last = check_natural("last_sequence", last_sequence)
        copies: list[Run | Event] = [*checked_runs, *checked_events]
        for item in copies:
            if item.session_id != session.id:
                message = (
                    f"{item.id} belongs to {item.session_id}, not to {session.id}. Restore it with its own session."
                )
                raise ValidationError(message)
        for event in checked_events:
            if event.sequence_number is None:
                message = f"Event {event.id} has no sequence_number. To record a new event, use append_events."
                raise ValidationError(message)
            last = max(last, event.sequence_number)
        if not isinstance(replace, bool):
            message = f"replace must be True or False, not {short_repr(replace)}."
            raise ValidationError(message)
        count = self._restore(session, checked_runs, checked_events, last, replace=replace)
        self._notify()
        return count

    # -- what an adapter writes ----------------------------------------------------------------------------------

    @abstractmethod
    def _save_session(self, session: Session, expected: int | None) -> Session:
        """Insert the session with revision 1, or replace the stored one, atomically; return it as stored.

        A stored session keeps its `deleted_at`. `asm_core.event_log.idempotency.next_revision` returns the revision of
        the saved one, whatever `session` has, or raises.
        """

    @abstractmethod
    def _save_run(self, run: Run, expected: int | None) -> Run:
        """Insert the run with revision 1, or replace the stored one, atomically; return it as stored.

        SessionNotFoundError without its session, SessionDeletedError if that is soft-deleted; then
        `asm_core.event_log.idempotency.next_revision`.
        """

    @abstractmethod
    def _delete_session(self, session_id: str) -> None:
        """Remove the session, its runs, its events and its counter in one transaction."""

    @abstractmethod
    def _append(self, events: list[Event]) -> list[StoredEvent]:
        """Store one or more events without numbers in one transaction; return each as stored.

        The order of the checks is fixed, so that every backend reports the same of several faults. Reject a
        contradictory list (`asm_core.event_log.idempotency.split_repeats`). Lock the counters in the order of the
        session ids: SessionNotFoundError without the session, and SessionDeletedError if it is soft-deleted, also if
        that was committed while the append waited for the lock. Compare stored ids in the given order
        (`ensure_idempotent`). Number the remaining events.
        """

    @abstractmethod
    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[StoredEvent]:
        """Save the session and the run with their expected revisions and append the events, in one transaction.

        SessionDeletedError if the stored session is soft-deleted.
        """

    @abstractmethod
    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        """Store missing records, with the numbers of events, in one transaction; return the new events.

        With `replace`, session and runs replace stored ones, `deleted_at` included. Raise the counter to at least
        `last_sequence`. AlreadyExistsError if another event has an id or number, or a run of another session has an id.
        """

    @abstractmethod
    def _remove_events(self, events: Sequence[Event]) -> int:
        """Remove stored events, by session and number, in one transaction; return their number. Counters stay."""

    @abstractmethod
    def _redact_events(self, session_id: str, ids: Sequence[str], data: Payload, metadata: Payload) -> int:
        """Replace data and metadata of the session's events with these ids, in one transaction; return their number."""

    def _finish_erasure(self) -> bool:
        """Remove copies of removed content from the store's files; return whether none remains."""
        return True

    def _check_global_ids(self) -> None:  # noqa: B027  optional
        """Raise `UnsupportedCapabilityError` if the backend does not declare `global_event_ids`."""

    def _commit_token(self) -> object:
        """Return something cheap that differs after any commit by any process; None if there is no such thing.

        Called while a caller waits, always from the same thread, before `Reader.load_heads`.
        """
        return None

    def _subscribe(self, notify: Callable[[str | None], None]) -> AbstractContextManager[object]:
        """Return a context in which the store notifies of commits by other processes; it may do nothing.

        It is open while a caller waits, and entering it waits for nothing. Inside, `notify` may be called, from any
        thread: with the id of a session that has new events, so that its waiters read the log; or with None after the
        subscription has begun, or may have missed a commit. Nothing depends on it.
        """
        return nullcontext()

    @property
    def _watcher(self) -> Watcher:
        """The watcher of this store, created at its first use."""
        return self._watcher_of(lags=False)

    def _watcher_of(self, *, lags: bool) -> Watcher:
        """Return the watcher of this store, or the one that polls the replica, and is not notified by the primary."""
        if self._watching is not None:
            return self._watching._watcher  # noqa: SLF001  of the same class
        key = os.getpid(), lags
        watcher = self._watchers.get(key)
        if watcher is None:
            heads = self.reader.load_heads
            made = Watcher(self._lagging_heads) if lags else Watcher(heads, self._commit_token, self._subscribe)
            # Two threads may be here at the same time.
            watcher = self._watchers.setdefault(key, made)
        return watcher

    def _lagging_heads(self, session_ids: Collection[str]) -> dict[str, Head]:
        heads = None if self._lagging is None else self._lagging.load_heads(session_ids)
        return self.reader.load_heads(session_ids) if heads is None else heads

    def _notify(self) -> None:
        """Wake the waiters of this process: something was committed."""
        if self._watching is not None:
            self._watching._notify()  # noqa: SLF001  of the same class
            return
        if self._watchers:
            # A forked child has none of its parent's threads.
            for lags in (False, True):
                watcher = self._watchers.get((os.getpid(), lags))
                if watcher is not None:
                    watcher.notify()


def _checked_live(session: object) -> Session:
    """Return a checked session to save, without `deleted_at`: only maintenance sets that."""
    checked = check_instance(Session, session).checked()
    return checked if checked.deleted_at is None else msgspec.structs.replace(checked, deleted_at=None)


def _check_direction(order: object) -> Order:
    """Return the order of a log: ascending or descending."""
    if not isinstance(order, str) or order not in {"asc", "desc"}:
        message = f'order must be "asc" or "desc", not {short_repr(order)}.'
        raise ValidationError(message)
    return EVENT_ORDERS[f"sequence_{order}"]


def _check_after(session_id: str, after: object) -> int:
    """Return the number after which to read events."""
    return check_last(session_id, after) if isinstance(after, Event) else check_natural("after", after)


def _check_iterable(field: str, value: Any) -> Iterable[Any]:
    if not isinstance(value, Iterable):
        message = f"{field} must be an iterable, not {short_repr(value)}."
        raise ValidationError(message)
    return value
