"""Followers and other reads that wait, in event loops: they take no thread, and lose nothing."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.together import PATIENCE, Child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Run = Callable[..., Any]

FOLLOWERS = 1000


def message(session: asm.Session, text: str = "hello") -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id, data={"role": "user", "content": text})


async def take(events: AsyncIterator[asm.Event], count: int) -> list[int | None]:
    """Return the numbers of the next events."""
    async with asyncio.timeout(PATIENCE):
        return [(await anext(events)).sequence_number for _ in range(count)]


def test_a_follower_gets_stored_events_then_new_ones(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            await backend.session_store.append_events([message(session) for _ in range(450)])
            events = backend.session_store.follow_events(session.id)
            assert await take(events, 450) == list(range(1, 451))
            coming = asyncio.create_task(take(events, 2))
            await asyncio.sleep(0.05)
            await backend.session_store.append_event(message(session))
            store.session_store.append_event(message(session))
            assert await coming == [451, 452]

    run(main())


def test_a_follower_ends_when_it_was_idle(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> list[int | None]:
        async with asm.aio.wrap(store) as backend:
            await backend.session_store.append_event(message(session))
            return [
                event.sequence_number
                async for event in backend.session_store.follow_events(session.id, idle_timeout=0.05)
            ]

    assert run(main()) == [1]


def test_arguments_of_a_follower_are_checked_at_once(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            with pytest.raises(asm.ValidationError):
                backend.session_store.follow_events(session.id, after=-1)
            with pytest.raises(asm.SessionNotFoundError):
                await anext(backend.session_store.follow_events("ses_unknown"))

    run(main())


def test_followers_take_no_threads(store: asm.Backend, session: asm.Session) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            before = threading.active_count()
            followers = [backend.session_store.follow_events(session.id) for _ in range(FOLLOWERS)]
            tasks = [asyncio.create_task(take(events, 3)) for events in followers]
            await asyncio.sleep(0.2)
            for _ in range(3):
                await backend.session_store.append_event(message(session))
            most = threading.active_count() - before
            assert await asyncio.gather(*tasks) == [[1, 2, 3]] * FOLLOWERS
            assert most <= store.connections + 1  # the watcher

    asyncio.run(main())  # in debug mode, a thousand tasks take seconds


def test_a_cancelled_anext_loses_no_event(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> list[int | None]:
        async with asm.aio.wrap(store) as backend:
            events = backend.session_store.follow_events(session.id)
            found: list[int | None] = []

            async def append() -> None:
                for _ in range(100):
                    await backend.session_store.append_event(message(session))

            appending = asyncio.create_task(append())
            while len(found) < 100:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.0005):
                        found.append((await anext(events)).sequence_number)
            await appending
            return found

    assert run(main()) == list(range(1, 101))


def test_followers_end_when_the_backend_is_closed(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        backend = asm.aio.wrap(store)
        following = asyncio.create_task(take(backend.session_store.follow_events(session.id), 1))
        reading = asyncio.create_task(backend.session_store.get_events(session.id, wait_timeout=PATIENCE))
        await asyncio.sleep(0.05)
        await backend.close()
        for task in (following, reading):
            with pytest.raises(asm.StorageError, match="closed"):
                await task

    run(main())


def test_a_follower_of_a_deleted_session_raises(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            following = asyncio.create_task(take(backend.session_store.follow_events(session.id), 1))
            await asyncio.sleep(0.05)
            await backend.session_store.delete_session(session.id)
            with pytest.raises(asm.SessionNotFoundError):
                await following

    run(main())


def test_two_tasks_cannot_share_a_follower(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            events = backend.session_store.follow_events(session.id)
            first = asyncio.create_task(take(events, 1))
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="Give each task its own"):
                await anext(events)
            await backend.session_store.append_event(message(session))
            assert await first == [1]
            await events.aclose()  # type: ignore[attr-defined]
            assert [event async for event in events] == []

    run(main())


def test_waiting_reads_take_no_threads(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            count = 5 * store.connections
            reading = [
                asyncio.create_task(backend.session_store.get_events(session.id, wait_timeout=PATIENCE))
                for _ in range(count)
            ]
            await asyncio.sleep(0.1)
            event = await backend.session_store.append_event(message(session))
            assert await asyncio.gather(*reading) == [[event]] * count
            assert await backend.session_store.get_events(session.id, after=1, wait_timeout=0.01) == []

    run(main())


def test_a_follower_sees_commits_of_another_process(tmp_path: Path, run: Run) -> None:
    url = f"sqlite:///{tmp_path}/asm.db"

    def opened() -> asm.Backend:
        return asm.open_backend("sqlmodel", url=url, migrate=True)

    with opened() as store:
        session = store.session_store.save_session(asm.Session.new(agent_id="assistant"))
    child = Child(opened, lambda other, _: other.session_store.append_event(message(session)))
    child.go()

    async def main() -> None:
        async with asm.aio.open_backend("sqlmodel", url=url) as backend:
            following = asyncio.create_task(take(backend.session_store.follow_events(session.id), 1))
            await asyncio.sleep(0.05)
            child.go()
            assert await following == [1]

    run(main())
    while child.receive() is not None:
        pass
