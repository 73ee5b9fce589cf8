"""Tasks of an event loop write, are cancelled and lose their connections: nothing is lost, torn or left behind."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

import asm_core as asm
from asm_contract_tests.making import a_session, an_event
from asm_contract_tests.together import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from administrator import Administrator

TASKS: Final = 12
SECONDS: Final = 1.5
"""Seconds of the work, times --soak."""
BETWEEN_OUTAGES: Final = 0.4


class UndoneError(Exception):
    """Ends a transaction that is to be rolled back."""


class Work:
    """The calls of several tasks, and what they may have stored.

    Attributes:
        acknowledged: the ids of events whose call returned.
        pairs: ids of two events of one transaction, which returned or was cancelled.
        tried: the ids of all events that may be stored.
        undone: the ids of events whose transaction was rolled back.
        lost: how many calls lost their connection.
    """

    def __init__(self, backend: asm.aio.Backend, sessions: list[asm.Session], seed: int) -> None:
        self._backend = backend
        self._sessions = sessions
        self._random = random.Random(seed)  # noqa: S311  no secret
        self._calls: set[asyncio.Task[None]] = set()
        self.acknowledged: set[str] = set()
        self.pairs: list[tuple[str, str]] = []
        self.tried: set[str] = set()
        self.undone: set[str] = set()
        self.lost = 0

    async def go_on(self, until: float) -> None:
        """Make calls, one after the other; only a cancellation or a lost connection may end one."""
        kinds: list[Callable[[], Awaitable[Any]]] = [self._append, self._batch, self._both, self._undo, self._read]
        while time.monotonic() < until:
            call = asyncio.ensure_future(self._random.choice(kinds)())
            self._calls.add(call)
            try:
                await call
            except asyncio.CancelledError:
                if not call.cancelled():  # this task was cancelled itself
                    raise
            except asm.StorageConnectionError:
                self.lost += 1
            finally:
                self._calls.discard(call)

    async def cancel_some(self, until: float) -> None:
        """Cancel a call now and then, whatever it does."""
        while time.monotonic() < until:
            await asyncio.sleep(self._random.uniform(0, 0.02))
            if self._calls:
                self._random.choice(list(self._calls)).cancel()

    async def _append(self) -> None:
        event = self._event()
        stored = await self._backend.session_store.append_event(event)
        self.acknowledged.add(stored.id)

    async def _batch(self) -> None:
        events = [self._event() for _ in range(3)]
        stored = await self._backend.session_store.append_events(events)
        self.acknowledged.update(event.id for event in stored)

    async def _both(self) -> None:
        first, second = (self._event(session) for session in self._sessions[:2])
        self.pairs.append((first.id, second.id))
        async with self._backend.transaction() as ports:
            await ports.session_store.append_event(first)
            await ports.session_store.append_event(second)
        self.acknowledged.update((first.id, second.id))

    async def _undo(self) -> None:
        event = self._event()
        self.undone.add(event.id)
        with suppress(UndoneError):
            async with self._backend.transaction() as ports:
                await ports.session_store.append_event(event)
                raise UndoneError

    async def _read(self) -> None:
        session = self._random.choice(self._sessions)
        page = await self._backend.session_store.get_events(session.id, order="desc", limit=5, wait_timeout=0.01)
        numbers = [event.sequence_number for event in page]
        assert numbers == sorted(numbers, reverse=True)

    def _event(self, session: asm.Session | None = None) -> asm.Event:
        event = an_event(session or self._random.choice(self._sessions))
        self.tried.add(event.id)
        return event


async def follow(backend: asm.aio.Backend, session: asm.Session, seen: list[asm.Event]) -> None:
    """Follow a log; after a lost connection, from the last event that came."""
    while True:
        with suppress(asm.StorageConnectionError):
            async for event in backend.session_store.follow_events(session.id, after=seen[-1] if seen else 0):
                seen.append(event)  # noqa: PERF401  what came before an error is kept


@pytest.fixture
def outages(request: pytest.FixtureRequest, database: str) -> Iterator[Callable[[], object] | None]:
    """Return what ends the connections of backends: PostgreSQL has some."""
    if database == "sqlite":
        yield None
    else:
        administrator: Administrator = request.getfixturevalue("administrator")
        yield administrator.terminate
        administrator.wait_until_alone()


def test_tasks_that_are_cancelled_and_cut_off_lose_and_tear_nothing(
    open_backend: Callable[..., asm.Backend], outages: Callable[[], object] | None, soak: int
) -> None:
    before = threading.active_count()

    async def cut(until: float) -> None:
        while outages is not None and time.monotonic() < until:
            await asyncio.sleep(BETWEEN_OUTAGES)
            await asyncio.to_thread(outages)

    async def main() -> tuple[Work, list[asm.Event], dict[str, list[asm.Event]]]:
        async with asm.aio.wrap(open_backend()) as backend:
            sessions = [await backend.session_store.save_session(a_session()) for _ in range(3)]
            work = Work(backend, sessions, seed=soak)
            seen: list[asm.Event] = []
            following = asyncio.ensure_future(follow(backend, sessions[0], seen))
            until = time.monotonic() + SECONDS * soak
            working = [work.go_on(until) for _ in range(TASKS)]
            await asyncio.gather(*working, work.cancel_some(until), cut(until))
            logs = {session.id: await read(backend, session) for session in sessions}
            async with asyncio.timeout(PATIENCE):
                while len(seen) < len(logs[sessions[0].id]):  # noqa: ASYNC110  the follower only keeps a list
                    await asyncio.sleep(0.01)
            following.cancel()
            await asyncio.wait([following])
            problems = await backend.maintenance.health_check()
            assert problems == []
            await asyncio.to_thread(backend.sync.close)
        return work, seen, logs

    work, seen, logs = asyncio.run(main(), debug=True)
    stored = {event.id for log in logs.values() for event in log}
    assert work.acknowledged <= stored <= work.tried
    assert not work.undone & stored
    assert [pair for pair in work.pairs if (pair[0] in stored) != (pair[1] in stored)] == []
    for log in logs.values():
        assert [event.sequence_number for event in log] == list(range(1, len(log) + 1))
    assert seen == next(iter(logs.values()))
    assert work.lost > 0 or outages is None
    deadline = time.monotonic() + PATIENCE
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


async def read(backend: asm.aio.Backend, session: asm.Session) -> list[asm.Event]:
    """Read a log after the outages: a connection that was cut before is found at the first call."""
    while True:
        with suppress(asm.StorageConnectionError):
            return list(await backend.session_store.get_events(session.id))
