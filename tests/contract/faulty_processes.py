"""Backends for many processes with one fault each, and the test that is meant to catch it."""

from __future__ import annotations

import fcntl
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fault_registry import caught_by
from file_backend import FileBackend, FileLock, FileSessionStore
from richer_backends import MigratingFile

from asm_contract_tests.making import changed
from asm_core import Maintenance, StorageError, TextIndex
from asm_core.event_log.idempotency import ensure_idempotent
from asm_core.memory.removing import drop_events
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.state_store import MemoryStateStore
from asm_core.retention import Removal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from asm_core import Event, Run, Session, StateRecord
    from asm_core.event_log.updating import Expected


def linger(seconds: float = 0.002) -> None:
    """Give other processes, and the killer, time to act."""
    time.sleep(seconds)


@caught_by("test_what_was_read_never_changes_while_processes_append")
class NumbersOutOfOrder(FileSessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        with self._state.transaction():
            numbered = [event.numbered(self._state.counters.get(event.session_id, 0) + 1) for event in events]
            for event in numbered:
                self._state.put(self._state.counters, event.session_id, event.sequence_number)
        linger()
        with self._state.transaction():
            for event in numbered:
                self._store(event)
        return numbered


@caught_by(
    "test_one_event_from_many_processes_is_stored_once",
    "test_batches_of_processes_that_share_events_store_each_once",
    "test_of_batches_of_processes_that_contradict_each_other_one_wins",
)
class LooksBeforeItLocks(FileSessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        with self._state.lock:
            known = {event.id: self._state.events.get(event.id) for event in events}
        linger()
        with self._state.transaction():
            stored = []
            for event in events:
                found = known[event.id]
                number = self._state.counters.get(event.session_id, 0) + 1
                stored.append(event.numbered(number) if found is None else ensure_idempotent(found, event))
                if found is None:
                    self._state.put(self._state.counters, event.session_id, number)
                    self._store(stored[-1])
            return stored


@caught_by("test_batches_of_processes_do_not_lock_each_other_out")
class LocksInTheOrderOfTheBatch(FileSessionStore):
    def _append(self, events: list[Event]) -> list[Event]:
        place: Path = self._state.file._path
        locks = [
            place.with_name(f"{one}.lock").open("w") for one in dict.fromkeys(event.session_id for event in events)
        ]
        try:
            for lock in locks:
                fcntl.lockf(lock, fcntl.LOCK_EX)
                linger()
            return super()._append(events)
        except OSError as error:
            raise StorageError(f"deadlock: {error}") from error
        finally:
            for lock in locks:
                lock.close()


class ImpatientLock(FileLock):
    def take(self) -> None:
        with self._path.with_suffix(".lock").open("w") as probe:
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StorageError("another process is writing") from None
        super().take()


@caught_by("test_processes_that_write_and_delete_do_not_lock_each_other_out")
class FailsWhenBusy(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._state.file = ImpatientLock(self._state, path)


@caught_by(
    "test_the_others_go_on_when_a_process_is_killed",
)
class FlushInParts(FileSessionStore):
    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[Event]:
        self._save_session(session, expected.session)
        if run is not None:
            self._save_run(run, expected.run)
        linger(0.3)
        return self._append(events) if events else []


@caught_by("test_a_killed_process_has_done_what_it_acknowledged_and_nothing_by_halves")
class AcknowledgesTooEarly(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._write = self._state.file._save
        self._state.file._save = lambda: self._state.commits % 100 or self._write()

    def close(self) -> None:
        with self._state.lock:
            self._write()


class RemovesInParts(MemoryRetentionStore):
    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def remove_marked(self, limit: int) -> Removal:  # noqa: ARG002  all at once
        state, marked = self._state, list(self._state.removing)
        with state.transaction():
            for session_id in marked:
                for table in (state.counters, state.sessions, state.removing):
                    state.drop(table, session_id)
        linger(1.0 if marked else 0)  # most of its time, however slow the machine: a kill finds it here
        with state.transaction():
            events = drop_events(state, [event for one in marked for event in state.logs.get(one, {}).values()])
        return Removal(sessions=len(marked), events=events)


@caught_by("test_a_store_is_healthy_after_maintenance_was_killed")
class MaintainsInParts(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.maintenance = Maintenance(RemovesInParts(self._state))


@caught_by("test_processes_may_bring_a_fresh_store_up_at_once", "test_processes_may_bring_an_old_store_up_at_once")
class VersionReadTooEarly(MigratingFile):
    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        seen = self.schema_version()
        linger(0.1)
        with self._state.lock:
            if seen != self.schema_version():
                raise StorageError("there is such a table")
            return super().migrate(version, partitions=partitions, text_search=text_search)


@caught_by("test_a_wrong_number_of_partitions_is_refused")
class IgnoresPartitions(MigratingFile):
    def migrate(
        self,
        version: int | None = None,
        *,
        partitions: int | None = None,  # noqa: ARG002  the fault
        text_search: bool | None = None,
    ) -> list[int]:
        return super().migrate(version, text_search=text_search)


@caught_by("test_a_wrong_choice_of_a_text_index_is_refused")
class IgnoresTextSearch(MigratingFile):
    def migrate(
        self,
        version: int | None = None,
        *,
        partitions: int | None = None,
        text_search: bool | None = None,  # noqa: ARG002  the fault
    ) -> list[int]:
        return super().migrate(version, partitions=partitions)


@caught_by("test_a_text_index_that_is_not_wanted_is_absent")
class KeepsTextIndex(MigratingFile):
    def text_index(self) -> TextIndex:
        return TextIndex.COMPLETE


@caught_by("test_a_process_killed_while_it_brings_a_store_up_does_no_harm")
class MigrationLeavesItsMark(MigratingFile):
    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        with self._state.lock:
            mark = self._path.with_suffix(".mark")
            mark.touch(exist_ok=False)
            linger(0.1)
            mark.unlink()
            return super().migrate(version, partitions=partitions, text_search=text_search)


class ComparesBeforeItLocks(MemoryStateStore):
    def _put(
        self, namespace: str, key: str, value: Any, *, expected: int | None, now: datetime, **rest: Any
    ) -> StateRecord | None:
        stored = self._load(namespace, key, now)
        if expected not in {None, stored.revision if stored else 0}:
            return None
        linger()
        return super()._put(namespace, key, value, expected=None, now=now, **rest)


@caught_by("test_of_the_writers_of_a_revision_in_many_processes_one_wins")
class LosesUpdatesOfRecords(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.state_store = ComparesBeforeItLocks(self._state)


class CountsBeforeItStores(MemoryStateStore):
    def _put(self, namespace: str, key: str, value: Any, *, now: datetime, **rest: Any) -> StateRecord | None:
        stored = self._load(namespace, key, now)
        record = super()._put(namespace, key, stored and stored.value, now=now, **rest)
        linger(0.05)
        if record is not None:
            record = changed(record, value=value)
            with self._state.transaction():
                self._state.put(self._state.records, (namespace, key), record)
        return record


@caught_by("test_a_killed_process_leaves_each_record_whole")
class PutsRecordsInParts(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.state_store = CountsBeforeItStores(self._state)
