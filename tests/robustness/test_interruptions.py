"""An exception from a signal handler, at any instant, leaves no lock, no place of a pool and no stale connection."""

from __future__ import annotations

import gc
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.interrupting import Interruption, interrupt_at_calls, interrupt_everywhere

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

BACKENDS = ("sqlmodel", "peewee", "pony")
PATIENCE = 1.0
"""Seconds that a call waits for a lock: what an interruption leaves locked fails after that."""
STEP = 29
"""Which bytecodes are interrupted, unless there is more time."""
ATTEMPTS = 300
SHORTEST, LONGEST = 1e-5, 2e-3


class Store:
    """A SQLite file of one session, and what is done to it."""

    def __init__(self, backend: asm.Backend, path: Path) -> None:
        self.backend = backend
        self._path = path
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        self._session_id = session.id

    def append(self) -> asm.Event:
        event = asm.Event.new(type="message_sent", session_id=self._session_id, data={"x": 1})
        return self.backend.session_store.append_event(event)

    def read(self, after: int = 0) -> list[int | None]:
        events = self.backend.session_store.get_events(self._session_id, after=after, limit=3)
        return [event.sequence_number for event in events]

    def transact(self) -> None:
        with self.backend.transaction():
            self.append()
            self.read()

    def check(self) -> None:
        """Append an event, and find it by the backend and by another connection, with no gap before it."""
        number = self.append().sequence_number or 0
        assert self.read(number - 1) == [number]
        with closing(sqlite3.connect(self._path)) as other:
            found = other.execute("SELECT max(sequence_number), count(*) FROM asm_events").fetchone()
        assert found == (number, number)


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "asm.db"
    options: dict[str, Any] = {"busy_timeout": PATIENCE, "readers": 1, "synchronous": "normal"}
    with asm.open_backend(request.param, url=f"sqlite:///{path}", migrate=True, **options) as backend:
        yield Store(backend, path)


@pytest.mark.parametrize("work", [Store.append, Store.read, Store.transact])
def test_a_call_interrupted_at_any_bytecode_holds_nothing(
    store: Store, work: Callable[[Store], object], soak: int
) -> None:
    store.check()
    for module in (
        "asm_core.sql",
        "asm_core.concurrency.contexts",
        "asm_core.concurrency.places",
        f"asm_backend_{store.backend.name}",
    ):
        for _ in interrupt_everywhere(lambda: work(store), module=module, step=max(1, STEP // soak)):
            store.check()


@pytest.mark.parametrize("work", [Store.append, Store.read, Store.transact])
def test_an_interrupted_call_holds_nothing_while_the_exception_is_handled(
    store: Store, work: Callable[[Store], object]
) -> None:
    store.check()
    errors = []
    for module in ("asm_core.sql", "asm_core.concurrency.contexts", f"asm_backend_{store.backend.name}"):
        for error in interrupt_at_calls(lambda: work(store), module=module):
            errors.append(error)
            store.check()
    assert len(errors) > 10


@pytest.fixture
def _no_callbacks() -> Iterator[None]:
    """Leave nothing to the collector in which Python ignores what a signal handler raises."""
    gc.collect()  # garbage of earlier tests has callbacks of the ORMs
    kept = gc.callbacks[:]
    gc.callbacks.clear()  # Hypothesis has one
    yield
    gc.callbacks[:] = kept


@pytest.mark.usefixtures("_no_callbacks")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no interval timers")
def test_calls_survive_signals_at_random_instants(store: Store, soak: int) -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interruption

    interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        # The delay changes with each attempt: a call that is faster than it leaves the next one another.
        for attempt in range(ATTEMPTS * soak):
            for work in (Store.append, Store.read, Store.transact):
                with suppress(Interruption):
                    try:
                        signal.setitimer(signal.ITIMER_REAL, SHORTEST + (attempt * 7919 % 997) / 997 * LONGEST)
                        work(store)
                    except Interruption:
                        interrupted += 1
                    finally:
                        signal.setitimer(signal.ITIMER_REAL, 0)
                store.check()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 10
