"""Ports that mistake a deletion, an owner or an end, and the test that is meant to catch each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core import Session, SessionDeletedError, SessionNotFoundError
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core import Event, Run
    from asm_core.event_log.updating import Expected

changed = msgspec.structs.replace


@caught_by(
    "test_a_soft_deleted_session_refuses_what_is_written_to_it", "test_a_restored_deletion_refuses_what_is_written"
)
class DeletedSessionTakesEverything(MemorySessionStore):
    def _require_session(self, session_id: str) -> None:
        if session_id not in self._state.sessions:
            raise SessionNotFoundError(session_id)

    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[Event]:
        with self._state.transaction():
            self._save_session(session, expected.session)
            if run is not None:
                self._save_run(run, expected.run)
            return self._append(events)


@caught_by(
    "test_a_batch_with_a_soft_deleted_session_stores_nothing",
    "test_of_several_refusals_the_first_session_names_the_error",
)
class DeletionFoundHalfWay(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        return [event for one in events for event in super(DeletionFoundHalfWay, self)._append([one])]


@caught_by("test_nothing_is_appended_once_a_soft_deletion_has_returned")
class DeletionLookedUpBeforeTheLock(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        with self._state.transaction():
            for event in events:
                self._require_session(event.session_id)
        time.sleep(0.001)
        with self._state.transaction():
            return [self._append_one(event) for event in events]


@caught_by("test_an_event_of_a_soft_deleted_session_is_not_repeated")
class RepeatsBeforeDeletions(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        with self._state.transaction():
            stored = [self._state.events.get(event.id) for event in events]
            known = [event for event in stored if event is not None]
            return known if len(known) == len(events) else super()._append(events)


@caught_by("test_saving_a_session_keeps_its_deletion")
class SavingTakesTheDeletionBack(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:  # noqa: ARG002
        self._put_session(session)
        return session


@caught_by("test_saving_a_session_deletes_none")
class SavingDeletes(MemorySessionStore):
    def save_session(self, session: Session, **_: Any) -> Session:  # type: ignore[override]
        self._put_session(session)
        return session


@caught_by("test_a_write_that_waits_for_a_soft_deletion_is_refused")
class WritesWithoutWaiting(MemorySessionStore):
    def _require_session(self, session_id: str) -> None:
        try:
            super()._require_session(session_id)
        except SessionDeletedError:
            if not self._state.runs and not self._state.events:
                return
            raise


@caught_by("test_a_run_never_moves_to_another_session", "test_a_run_that_has_ended_keeps_its_status")
class RunReplacedByAny(MemorySessionStore):
    def _save_run(self, run: Run, expected: int | None) -> Run:  # noqa: ARG002
        with self._state.transaction():
            self._require_session(run.session_id)
            self._state.put(self._state.runs, run.id, run.checked())
            return run


@caught_by("test_a_run_that_has_ended_is_saved_again_with_its_status")
class EndedRunIsFrozen(MemorySessionStore):
    def _save_run(self, run: Run, expected: int | None) -> Run:
        stored = self._state.runs.get(run.id)
        return super()._save_run(run if stored is None or stored.status == "running" else stored, expected)


@caught_by("test_a_copied_run_never_moves_to_another_session")
class CopyOfATakenRunIsSkipped(MemorySessionStore):
    def _restore_run(self, run: Run, *, replace: bool) -> None:
        stored = self._state.runs.get(run.id)
        if stored is None or stored.session_id == run.session_id:
            super()._restore_run(run, replace=replace)


@caught_by("test_a_replacing_copy_makes_session_and_runs_equal_to_it")
class ReplaceIgnored(MemorySessionStore):
    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        return super()._restore(session, runs, events, last_sequence, replace=replace and session.id == "")


@caught_by("test_a_repeated_soft_deletion_keeps_the_first_time")
class DeletedAgain(MemoryRetentionStore):
    def soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._state.transaction():
            for session_id in session_ids:
                self._mark(self._state.sessions[session_id], at)


@caught_by("test_soft_deletion_marks_one_session")
class DeletionTouchesTheUpdate(MemoryRetentionStore):
    def soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        super().soft_delete_sessions(session_ids, at)
        with self._state.transaction():
            for session_id in session_ids:
                self._mark(changed(self._state.sessions[session_id], updated_at=at), at)


@caught_by("test_an_undeleted_session_goes_on")
class UndeletionOfTheListAlone(MemoryRetentionStore):
    def undelete_session(self, session_id: str) -> None:
        super().undelete_session(session_id)
        with self._state.transaction():
            self._state.put(self._state.counters, session_id, 0)


@caught_by("test_an_unknown_session_is_neither_deleted_nor_undeleted")
class UnknownSessionDeleted(MemoryRetentionStore):
    def load_session(self, session_id: str) -> Session | None:
        return super().load_session(session_id) or Session.new(agent_id="made up")


@caught_by(
    "test_a_run_with_two_ends_is_found",
    "test_a_session_with_two_ends_is_found",
    "test_events_of_a_run_in_another_session_are_found",
)
class HealthOfNumbersAlone(MemoryRetentionStore):
    def check_integrity(self) -> list[str]:
        return [name for name, log in self._state.logs.items() if max(log, default=0) > self._state.counters[name]]


@caught_by("test_sessions_and_runs_that_end_once_are_healthy")
class HealthDoubtsEveryEnd(MemoryRetentionStore):
    def check_integrity(self) -> list[str]:
        ends = [event.id for event in self._state.events.values() if event.type == "run_completed"]
        return [*super().check_integrity(), *ends[1:]]
