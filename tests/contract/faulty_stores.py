"""Session stores with one fault each, and the test that is meant to catch it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core import Session, ValidationError
from asm_core.event_log.idempotency import ensure_idempotent
from asm_core.event_log.waiting import Watcher
from asm_core.memory.reader import MemoryReader
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core import Event, Run
    from asm_core.event_log.updating import Expected
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery

changed = msgspec.structs.replace


@caught_by("test_events_are_numbered_from_one_without_a_gap")
class GapInTheNumbering(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        stored = super()._append(events)
        with self._state.transaction():
            session_id, number = stored[-1].session_id, stored[-1].sequence_number or 0
            self._state.put(self._state.counters, session_id, number + number % 2)
        return stored


@caught_by("test_an_event_appended_twice_is_stored_once", "test_a_repeat_takes_no_number")
class DuplicateStoredTwice(MemorySessionStore):
    def _append_one(self, event: Event) -> Event:
        self._require_session(event.session_id)
        number = self._state.counters.get(event.session_id, 0) + 1
        self._state.put(self._state.counters, event.session_id, number)
        self._store(event.numbered(number))
        return event.numbered(number)


@caught_by("test_a_batch_with_an_unknown_session_stores_nothing", "test_a_batch_with_a_taken_id_stores_nothing")
class HalfABatch(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        return [event for one in events for event in super(HalfABatch, self)._append([one])]


@caught_by("test_a_flush_that_fails_changes_nothing", "test_a_flush_that_fails_makes_no_session")
class FlushWithoutRollback(MemorySessionStore):
    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[Event]:
        self._save_session(session, expected.session)
        if run is not None:
            self._save_run(run, expected.run)
        return self._append(events)


@caught_by("test_events_after_a_number_exclude_it", "test_following_begins_after_a_number")
class AfterOffByOne(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return super().find_events(changed(query, after=max(0, (query.after or 0) - 1)))


@caught_by("test_sessions_are_listed_newest_first")
class TiesInTheWrongOrder(MemoryReader):
    def find_sessions(self, query: SessionQuery) -> list[Session]:
        found = sorted(super().find_sessions(changed(query, limit=None, offset=0)), key=lambda session: session.id)
        found.sort(key=lambda session: session.created_at, reverse=True)
        stop = None if query.limit is None else query.offset + query.limit
        return found[query.offset : stop]


@caught_by("test_soft_deleted_sessions_are_not_listed")
class SoftDeletedSessionsListed(MemoryReader):
    def find_sessions(self, query: SessionQuery) -> list[Session]:
        return super().find_sessions(changed(query, include_deleted=True))


@caught_by("test_every_payload_field_keeps_any_json", "test_any_payload_comes_back_as_it_was")
class PayloadKeysReordered(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return [changed(event, data=dict(sorted(event.data.items()))) for event in super().find_events(query)]


@caught_by("test_no_public_method_of_a_port_is_overridden")
class NaiveTimeLetThrough(MemorySessionStore):
    def save_session(self, session: Session) -> Session:
        with suppress(ValidationError, AttributeError):
            return super().save_session(changed(session, created_at=session.created_at.astimezone()))
        return super().save_session(session)


@caught_by("test_what_one_handle_stores_the_next_read_of_another_sees")
class StaleReads(MemoryReader):
    def load_session(self, session_id: str) -> Session | None:
        seen: dict[str, Session | None] = self.__dict__.setdefault("seen", {})
        return seen.setdefault(session_id, super().load_session(session_id))


@caught_by("test_a_limit_keeps_the_first_events")
class LimitIgnored(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return super().find_events(changed(query, limit=None))


class DeafWatcher(Watcher):
    def wait(self, session_id: str, known: Collection[Head], timeout: float | None) -> None:  # noqa: ARG002
        with suppress(TimeoutError):
            Future[None]().result(timeout)


@caught_by("test_a_wait_ends_with_what_is_appended_meanwhile", "test_a_wait_ends_with_what_another_handle_appends")
class WaitMissesAnEvent(MemorySessionStore):
    @property
    def _watcher(self) -> Watcher:
        return DeafWatcher(self.reader.load_heads)


@caught_by("test_two_waiters_that_alternate_never_miss_a_turn")
class WaitEndsAtOnce(MemorySessionStore):
    def get_events(self, session_id: str, **filters: Any) -> list[Event]:  # type: ignore[override]
        return super().get_events(session_id, **{**filters, "wait_timeout": 0.0})


@caught_by("test_saving_a_session_again_replaces_all_but_the_id")
class UpsertForgetsAField(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        old = self.reader.load_session(session.id)
        return super()._save_session(session if old is None else changed(session, tags=old.tags), expected)


@caught_by("test_saving_a_session_again_keeps_its_runs_events_and_numbers")
class UpsertDeletesAndInserts(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        self._delete_session(session.id)
        return super()._save_session(session, expected)


@caught_by("test_runs_of_an_unknown_session_are_not_listed")
class UnknownSessionHasNoRuns(MemorySessionStore):
    def list_runs(self, session_id: str, **filters: Any) -> list[Run]:  # type: ignore[override]
        return super().list_runs(session_id, **filters) if self.reader.load_session(session_id) else []


@caught_by("test_a_batch_is_numbered_in_the_order_given", "test_a_batch_may_span_sessions")
class BatchSortedById(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        return super()._append(sorted(events, key=lambda event: (event.session_id, event.id)))


@caught_by("test_the_first_telling_of_a_fact_stays")
class RepeatGivesBackTheGiven(MemorySessionStore):
    def _append_one(self, event: Event) -> Event:
        return event.numbered(super()._append_one(event).sequence_number or 0)


@caught_by("test_another_fact_under_a_stored_id_is_refused", "test_two_facts_under_one_id_in_a_batch_are_refused")
class AnotherFactAccepted(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        with self._state.transaction():
            return [self._append_one(event) for event in events]

    def _append_one(self, event: Event) -> Event:
        stored = self._state.events.get(event.id)
        return super()._append_one(event) if stored is None else stored


@caught_by("test_events_since_a_time_include_that_time")
class SinceExclusive(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return [event for event in super().find_events(query) if query.since is None or event.timestamp > query.since]


@caught_by("test_threads_that_append_to_one_session_leave_no_gap")
class CounterNotLocked(MemorySessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        stored = []
        for event in events:
            number = self._state.counters.get(event.session_id, 0) + 1
            time.sleep(0.0001)
            with self._state.transaction():
                self._state.put(self._state.counters, event.session_id, number)
                self._store(event.numbered(number))
            stored.append(event.numbered(number))
        return stored


@caught_by("test_changing_a_payload_later_changes_nothing_stored")
class PayloadShared(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:  # noqa: ARG002
        with self._state.transaction():
            self._state.put(self._state.sessions, session.id, session)
        return session

    def save_session(self, session: Session, **_: Any) -> Session:  # type: ignore[override]
        session.checked()
        return self._save_session(session, None)


@caught_by("test_a_session_that_is_created_again_begins_at_one")
class DeletedSessionKeepsItsCounter(MemorySessionStore):
    def _delete_session(self, session_id: str) -> None:
        with self._state.transaction():
            last, log_id = self._state.counters.get(session_id, 0), self._state.log_ids.get(session_id, "")
            super()._delete_session(session_id)
            self._state.put(self._state.counters, session_id, last)
            self._state.put(self._state.log_ids, session_id, log_id)


@caught_by("test_the_active_run_is_the_newest_that_is_running")
class ActiveRunIsTheOldest(MemoryReader):
    def find_runs(self, query: RunQuery) -> list[Run]:
        return super().find_runs(changed(query, order=changed(query.order, descending=False)))


@caught_by("test_restoring_never_lowers_the_counter")
class RestoreLowersTheCounter(MemorySessionStore):
    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        with self._state.transaction():
            count = super()._restore(session, runs, events, last_sequence, replace=replace)
            self._state.put(self._state.counters, session.id, last_sequence)
            return count


@caught_by("test_a_restored_session_is_an_exact_copy")
class RestoreNumbersAnew(MemorySessionStore):
    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        again = [event.numbered(place) for place, event in enumerate(events, 1)]
        return super()._restore(session, runs, again, last_sequence, replace=replace)


@caught_by("test_no_foreign_error_leaves_a_port")
class ForeignErrorLeaks(MemoryReader):
    def load_run(self, run_id: str) -> Run | None:
        return self._state.runs[run_id].checked()


@caught_by("test_a_reader_never_sees_a_gap_that_fills_later")
class NumbersVisibleOutOfOrder(MemorySessionStore):
    def _append_one(self, event: Event) -> Event:
        stored = self._state.events.get(event.id)
        if stored is not None:
            return ensure_idempotent(stored, event)
        with self._state.transaction():
            number = self._state.counters.get(event.session_id, 0) + 1
            self._state.put(self._state.counters, event.session_id, number)
        return event.numbered(number)

    def _append(self, events: list[Event]) -> list[Event]:
        numbered = [self._append_one(event) for event in events]
        time.sleep(0.001 * ((numbered[-1].sequence_number or 0) % 3))
        with self._state.transaction():
            for event in numbered:
                self._store(event)
        return numbered
