"""Group commit: appends that wait for a write are written together, and each caller gets its own outcome."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_core.errors import AlreadyExistsError, StorageConnectionError
from asm_core.event_log.group_commit import LARGEST_GROUP, AppendQueue, GroupCommit, PendingAppend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.models import Event, StoredEvent

PATIENCE = 10.0


class Log:
    """A store whose first write waits until it may end.

    Attributes:
        groups: the ids of the events of each write.
        failures: called with the ids of a write before it is stored.
    """

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.failures: Callable[[list[str]], None] = lambda _: None
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.commits = 0

    def commit(self, events: list[Event]) -> list[StoredEvent]:
        self.groups.append([event.id for event in events])
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        self.failures(self.groups[-1])
        return [event.numbered(number) for number, event in enumerate(events, 1)]

    def committed(self) -> None:
        self.commits += 1


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(10) as executor:
        yield executor


def event(id_: str, session_id: str = "ses_1") -> Event:
    return asm.Event.new(id=id_, type="message_sent", session_id=session_id)


class Writing:
    """A group commit of one queue, of which a thread writes one event."""

    def __init__(self, log: Log, threads: ThreadPoolExecutor, *, queues: int = 1) -> None:
        self.group_commit = GroupCommit(log.commit, queues=queues, committed=log.committed)
        self.log = log
        self.threads = threads
        self.first = self.append(event("first"))
        assert log.begun.wait(PATIENCE)

    def append(self, *events: Event) -> Future[list[StoredEvent]]:
        return self.threads.submit(self.group_commit.append, list(events))

    def wait_for(self, *ids: str) -> list[Future[list[StoredEvent]]]:
        """Append events, one after the other, which then wait."""
        found = []
        queue = self.group_commit.queue_of([event("first")])
        for waiting, id_ in enumerate(ids, 1):
            found.append(self.append(event(id_)))
            while len(queue.waiting) < waiting:
                pass
        return found


def test_an_append_without_others_is_written_by_itself(log: Log) -> None:
    log.may_end.set()
    group_commit = GroupCommit(log.commit, queues=1, committed=log.committed)
    assert [group_commit.append([event(id_)])[0].id for id_ in "ab"] == ["a", "b"]
    assert log.groups == [["a"], ["b"]]


def test_appends_that_wait_are_written_together_in_order(log: Log, threads: ThreadPoolExecutor) -> None:
    writing = Writing(log, threads)
    waiting = writing.wait_for("a", "b", "c")
    log.may_end.set()
    assert [[stored.id for stored in each.result(PATIENCE)] for each in waiting] == [["a"], ["b"], ["c"]]
    assert log.groups == [["first"], ["a", "b", "c"]]


def test_an_append_that_fails_fails_alone(log: Log, threads: ThreadPoolExecutor) -> None:
    def fail(ids: list[str]) -> None:
        if "b" in ids:
            raise AlreadyExistsError("b is stored")

    log.failures = fail
    a, b, c = Writing(log, threads).wait_for("a", "b", "c")
    log.may_end.set()
    assert [each.result(PATIENCE)[0].id for each in (a, c)] == ["a", "c"]
    with pytest.raises(AlreadyExistsError, match="b is stored"):
        b.result(PATIENCE)
    assert log.groups == [["first"], ["a", "b", "c"], ["a"], ["b"], ["c"]]


def test_a_database_that_cannot_be_reached_is_tried_once_for_a_group(log: Log, threads: ThreadPoolExecutor) -> None:
    def fail(ids: list[str]) -> None:
        if "a" in ids:
            raise StorageConnectionError("lost", details={"why": "unplugged"})

    log.failures = fail
    waiting = Writing(log, threads).wait_for("a", "b", "c")
    log.may_end.set()
    errors = [each.exception(PATIENCE) for each in waiting]
    assert [(type(error), str(error), getattr(error, "details", None)) for error in errors] == [
        (StorageConnectionError, "lost", {"why": "unplugged"})
    ] * 3
    assert len(set(map(id, errors))) == len(errors)
    assert log.groups == [["first"], ["a", "b", "c"]]


def test_a_writer_that_is_interrupted_leaves_the_group_to_the_next(log: Log, threads: ThreadPoolExecutor) -> None:
    interruptions = iter([KeyboardInterrupt])

    def interrupt(ids: list[str]) -> None:
        if len(ids) > 1:
            for interruption in interruptions:
                raise interruption

    log.failures = interrupt
    waiting = Writing(log, threads).wait_for("a", "b", "c")
    log.may_end.set()
    errors = [each.exception(PATIENCE) for each in waiting]
    assert sorted(type(error).__name__ for error in errors) == ["KeyboardInterrupt", "NoneType", "NoneType"]
    assert len(log.groups[2]) == 2


def test_a_batch_is_not_divided_and_fills_a_group(log: Log, threads: ThreadPoolExecutor) -> None:
    writing = Writing(log, threads)
    queue = writing.group_commit.queue_of([event("first")])
    many = [event(f"evt_{number}") for number in range(LARGEST_GROUP)]
    batches = []
    for count, batch in enumerate(([event("a")], many, [event("b")]), 1):
        batches.append(writing.append(*batch))
        while len(queue.waiting) < count:
            pass
    log.may_end.set()
    assert [len(batch.result(PATIENCE)) for batch in batches] == [1, LARGEST_GROUP, 1]
    assert [len(group) for group in log.groups] == [1, 1, LARGEST_GROUP, 1]


def test_an_append_that_a_group_has_no_room_for_can_be_withdrawn() -> None:
    queue = AppendQueue()
    queue.waiting.extend(PendingAppend([event(f"evt_{number}")] * LARGEST_GROUP) for number in range(2))
    first, second = queue.waiting
    assert queue.next_group() == [first]
    assert (first.is_withdrawn(), second.is_withdrawn()) == (False, True)


def test_sessions_are_written_side_by_side_while_queues_are_free(log: Log, threads: ThreadPoolExecutor) -> None:
    writing = Writing(log, threads, queues=2)
    other = writing.append(event("other", "ses_2"))
    while len(log.groups) < 2:
        pass
    same = writing.append(event("same", "ses_2"))
    while not any(queue.waiting for queue in [writing.group_commit.queue_of([event("x", "ses_2")])]):
        pass
    log.may_end.set()
    assert [each.result(PATIENCE)[0].id for each in (writing.first, other, same)] == ["first", "other", "same"]
    assert log.groups == [["first"], ["other"], ["same"]]


def test_a_thread_that_writes_can_append_from_a_listener(log: Log) -> None:
    log.may_end.set()
    inner: list[StoredEvent] = []

    def listen(ids: list[str]) -> None:
        if ids == ["outer"]:
            inner.extend(group_commit.append([event("inner")]))

    log.failures = listen
    group_commit = GroupCommit(log.commit, queues=1, committed=log.committed)
    group_commit.append([event("outer")])
    assert [stored.id for stored in inner] == ["inner"]


def test_an_append_is_either_taken_or_withdrawn() -> None:
    taken, withdrawn = PendingAppend([event("a")]), PendingAppend([event("b")])
    assert (taken.is_taken(), taken.is_withdrawn(), taken.is_taken()) == (True, False, True)
    assert (withdrawn.is_withdrawn(), withdrawn.is_taken(), withdrawn.is_withdrawn()) == (True, False, True)


def test_each_group_is_announced_once(log: Log, threads: ThreadPoolExecutor) -> None:
    waiting = Writing(log, threads).wait_for("a", "b")
    log.may_end.set()
    for each in waiting:
        each.result(PATIENCE)
    assert log.commits == 1


def test_a_caller_that_wakes_wakes_the_next_and_the_last_one_the_next_writer() -> None:
    queue = AppendQueue()
    first, second, next_writer = (PendingAppend([event(id_)]) for id_ in "abc")
    queue.waking.extend([first, second])
    queue.waiting.append(next_writer)
    queue.wake_next()
    assert (first.wait(0), second.wait(0)) == (True, False)
    queue.wake_next()
    assert (second.wait(0), next_writer.wait(0)) == (True, False)
    queue.wake_next()
    assert next_writer.wait(0)


def test_an_append_waits_a_moment_for_callers_that_were_interrupted_before_they_woke(log: Log) -> None:
    log.may_end.set()
    group_commit = GroupCommit(log.commit, queues=1, committed=log.committed)
    queue = group_commit.queue_of([event("a")])
    queue.waking.append(PendingAppend([event("interrupted")]))
    assert [group_commit.append([event(id_)])[0].id for id_ in "ab"] == ["a", "b"]
    assert not queue.waking


def test_appends_to_a_session_stay_together_while_its_callers_wake(log: Log) -> None:
    log.may_end.set()
    group_commit = GroupCommit(log.commit, queues=2, committed=log.committed)
    queue = group_commit.queue_of([event("a")])
    queue.begin([event("a")])
    queue.thread = 0
    queue.waking.append(PendingAppend([event("asleep")]))
    assert group_commit.queue_of([event("b")]) is queue
    assert group_commit.queue_of([event("c", "ses_2")]) is not queue
    queue.wake_next()
    queue.wake_next()
    assert not queue.sessions
