"""Events are stored during the run, in batches, and a provider that is faster than the store blocks."""

from __future__ import annotations

import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ENOUGH, HookedStore, ScriptedProvider, log, only_session, says, texts
from processes import ended

import asm_core as asm
from asm_core.models import EventType
from asm_core.recording.execution.emission.recorder import BATCH_BYTES, BATCH_EVENTS, QUEUE_BYTES, QUEUE_EVENTS
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core import Emit, Event, Run, Session, SessionStore


@pytest.fixture
def plain() -> Iterator[SessionStore]:
    with asm.open_backend("memory") as opened:
        yield opened.session_store


class Gate:
    """A hook that holds appends up until it is opened, and notes how large they are."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        self.batches: list[list[Event]] = []

    def __call__(self, name: str, *args: Any) -> None:
        if name == "_append":
            self.batches.append(args[0])
            self.reached.set()
            assert self.open.wait(ENOUGH)


def test_an_event_is_stored_while_the_run_goes_on(store: SessionStore) -> None:
    def script(_provider: Any, _run: Run, session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "now"})
        assert store.get_events(session.id, type="message_streamed", wait_timeout=ENOUGH)

    SessionManager(store, ScriptedProvider(script)).run_once({})


def test_what_gathers_during_a_write_is_written_together(plain: SessionStore) -> None:
    gate = Gate()

    def script(_provider: Any, _run: Run, _session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "first"})
        assert gate.reached.wait(ENOUGH)
        for number in range(50):
            emit("message_streamed", {"text": str(number)})
        gate.open.set()

    SessionManager(HookedStore(plain, gate), ScriptedProvider(script)).run_once({})
    assert [len(batch) for batch in gate.batches] == [1, 50]


def test_batches_are_bounded(plain: SessionStore) -> None:
    gate = Gate()

    def script(_provider: Any, _run: Run, _session: Session, emit: Emit) -> None:
        emit("message_streamed", {"text": "first"})
        assert gate.reached.wait(ENOUGH)
        for _ in range(3):
            emit("message_streamed", {"text": "x" * (BATCH_BYTES // 2)})
        emit.many(EventType.MESSAGE_STREAMED, [{"text": "y"}] * (QUEUE_EVENTS // 2), 1)
        gate.open.set()

    SessionManager(HookedStore(plain, gate), ScriptedProvider(script)).run_once({})
    sizes = [(len(batch), sum(len(event.data["text"]) for event in batch)) for batch in gate.batches]
    assert max(count for count, _ in sizes) <= BATCH_EVENTS
    assert max(size for _, size in sizes) <= BATCH_BYTES


@pytest.mark.parametrize(
    ("text", "most"), [("x", QUEUE_EVENTS), ("x" * (1 << 20), QUEUE_BYTES // (1 << 20))], ids=["events", "bytes"]
)
def test_a_provider_faster_than_the_store_blocks(plain: SessionStore, text: str, most: int) -> None:
    gate, handed_over = Gate(), []

    def script(_provider: Any, _run: Run, _session: Session, emit: Emit) -> None:
        for number in range(most + 3):
            emit("message_streamed", {"text": text})
            handed_over.append(number)

    def run() -> None:
        SessionManager(HookedStore(plain, gate), ScriptedProvider(script)).run_once({})

    runner = threading.Thread(target=run)
    runner.start()
    assert gate.reached.wait(ENOUGH)
    runner.join(0.2)  # time enough to hand over all of them, if nothing held it back
    waiting = len(handed_over)
    gate.open.set()
    runner.join(ENOUGH)
    assert waiting <= most
    assert len(texts(log(plain))) == len(handed_over) == most + 3


def test_events_of_several_threads_of_a_provider_keep_each_threads_order(store: SessionStore) -> None:
    def script(_provider: Any, _run: Run, _session: Session, emit: Emit) -> None:
        def say(name: str) -> None:
            for number in range(100):
                emit("message_streamed", {"text": f"{name}{number}"})

        threads = [threading.Thread(target=say, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        ended(*threads)

    SessionManager(store, ScriptedProvider(script)).run_once({})
    for name in "abcd":
        mine = [text for text in texts(log(store)) if text.startswith(name)]
        assert mine == [f"{name}{number}" for number in range(100)]


def test_eight_runs_at_once_on_one_store(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider(says(*map(str, range(300)))))
    results = []
    threads = [threading.Thread(target=lambda: results.append(manager.run_once({}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    ended(*threads)
    assert [texts(result.events) for result in results] == [[str(number) for number in range(300)]] * 8


def test_no_thread_is_left(store: SessionStore) -> None:
    before = set(threading.enumerate())
    SessionManager(store, ScriptedProvider(says("a"))).run_once({})
    for thread in set(threading.enumerate()) - before:
        thread.join(ENOUGH)
        assert not thread.is_alive()


def test_memory_does_not_grow_with_the_events() -> None:
    class Forgetful(HookedStore):
        """Numbers events, and forgets them."""

        def _append(self, events: list[Event]) -> list[Event]:
            return [event.numbered(1) for event in events]

    def script(_provider: Any, _run: Run, _session: Session, emit: Emit) -> None:
        tracemalloc.start()
        for _ in range(100):
            emit.many(EventType.MESSAGE_STREAMED, [{"text": "x" * 100} for _ in range(1_000)], 100_000)

    with asm.open_backend("memory") as opened:
        manager = SessionManager(Forgetful(opened.session_store, lambda *_: None), ScriptedProvider(script))
        try:
            manager.run_once({}, on_event=lambda _: None)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert only_session(opened.session_store).status == "completed"
    assert peak < 25 << 20  # 100,000 events take 100 MB
