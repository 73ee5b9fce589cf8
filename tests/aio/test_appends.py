"""Appends of tasks: threads write them in groups, and a cancelled one is whole or undone."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any
from weakref import ref

import pytest

import asm_core as asm
from asm_contract_tests.together import PATIENCE
from asm_core.errors import AlreadyExistsError, SessionNotFoundError, StorageError

TASKS = 100


def event(session_id: str, **fields: Any) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session_id, **fields)


def test_appends_of_many_tasks_are_numbered_and_whole(store: asm.Backend, session: asm.Session, run: Any) -> None:
    async def main() -> list[int]:
        backend = asm.aio.wrap(store)
        found = await asyncio.gather(*(backend.session_store.append_event(event(session.id)) for _ in range(TASKS)))
        await backend.close()
        return [each.sequence_number for each in found]

    assert run(main()) == list(range(1, TASKS + 1))


def test_tasks_of_several_loops_share_groups(store: asm.Backend, session: asm.Session) -> None:
    backend = asm.aio.wrap(store)

    async def main() -> None:
        await asyncio.gather(*(backend.session_store.append_event(event(session.id)) for _ in range(TASKS)))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    asyncio.run(backend.close())
    assert store.session_store.get_latest_sequence(session.id) == 4 * TASKS


def test_event_loops_that_ended_are_not_kept(store: asm.Backend, session: asm.Session) -> None:
    backend = asm.aio.wrap(store)
    loops = []

    async def main() -> None:
        loops.append(ref(asyncio.get_running_loop()))
        await backend.session_store.append_event(event(session.id))

    for _ in range(3):
        asyncio.run(main())
    deadline = time.monotonic() + PATIENCE  # a thread of the pool may still be between two calls
    while any(loop() for loop in loops) and time.monotonic() < deadline:
        gc.collect()
    assert [loop() for loop in loops] == [None] * 3
    asyncio.run(backend.close())


def test_an_append_of_a_task_fails_alone(store: asm.Backend, session: asm.Session, run: Any) -> None:
    stored = store.session_store.append_event(event(session.id, data={"content": "first"}))
    events = [event(session.id) for _ in range(10)]
    events[3] = event("ses_unknown")
    events[7] = event(session.id, id=stored.id, data={"content": "second"})

    async def main() -> list[Any]:
        backend = asm.aio.wrap(store)
        appends = [backend.session_store.append_event(each) for each in events]
        found = await asyncio.gather(*appends, return_exceptions=True)
        await backend.close()
        return found

    found = run(main())
    assert [type(each) for each in (found[3], found[7])] == [SessionNotFoundError, AlreadyExistsError]
    assert sum(isinstance(each, asm.Event) for each in found) == 8
    assert store.session_store.get_latest_sequence(session.id) == 9


def test_what_a_cancelled_append_stored_is_whole(store: asm.Backend, session: asm.Session, run: Any) -> None:
    batches = [[event(session.id) for _ in range(3)] for _ in range(TASKS)]

    async def main() -> None:
        backend = asm.aio.wrap(store)
        tasks = [asyncio.create_task(backend.session_store.append_events(batch)) for batch in batches]
        await asyncio.sleep(0.002)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not any(task.cancelled() for task in tasks[1::2])
        await backend.close()

    run(main())
    stored = {each.id for each in store.session_store.get_events(session.id)}
    counts = [sum(each.id in stored for each in batch) for batch in batches]
    assert set(counts[1::2]) == {3}
    assert set(counts[::2]) <= {0, 3}


def test_an_append_that_waits_is_withdrawn_by_its_cancellation(
    store: asm.Backend, session: asm.Session, run: Any
) -> None:
    if store.session_store.group_commit is None:
        pytest.skip("in memory, each append runs in a thread")
    begun, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with store.transaction() as ports:
            ports.session_store.append_event(event(session.id))
            begun.set()
            assert may_end.wait(PATIENCE)

    async def main() -> None:
        backend = asm.aio.wrap(store)
        writing = asyncio.create_task(asyncio.to_thread(write))
        await asyncio.to_thread(begun.wait, PATIENCE)
        # The first waits for the writer in a thread, and the others for the first.
        first = asyncio.create_task(backend.session_store.append_event(event(session.id)))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(backend.session_store.append_event(event(session.id))) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in ended} == {asyncio.CancelledError}
        may_end.set()
        await asyncio.gather(writing, first)
        await backend.close()

    run(main())
    assert store.session_store.get_latest_sequence(session.id) == 2


def test_close_waits_for_appends_and_refuses_later_ones(store: asm.Backend, session: asm.Session, run: Any) -> None:
    async def main() -> None:
        backend = asm.aio.wrap(store)
        tasks = [asyncio.create_task(backend.session_store.append_event(event(session.id))) for _ in range(TASKS)]
        await asyncio.sleep(0)
        await backend.close()
        assert len(await asyncio.gather(*tasks)) == TASKS
        with pytest.raises(StorageError, match="closed"):
            await backend.session_store.append_event(event(session.id))

    run(main())


def test_threads_and_tasks_append_to_one_session(store: asm.Backend, session: asm.Session, run: Any) -> None:
    def in_thread() -> None:
        for _ in range(50):
            store.session_store.append_event(event(session.id))

    async def main() -> None:
        backend = asm.aio.wrap(store)
        threads = [asyncio.to_thread(in_thread) for _ in range(3)]
        tasks = [backend.session_store.append_event(event(session.id)) for _ in range(TASKS)]
        await asyncio.gather(*threads, *tasks)
        await backend.close()

    run(main())
    numbers = [each.sequence_number for each in store.session_store.get_events(session.id)]
    assert numbers == list(range(1, 3 * 50 + TASKS + 1))


def test_a_follower_sees_appends_of_tasks_at_once(store: asm.Backend, session: asm.Session, run: Any) -> None:
    async def main() -> None:
        backend = asm.aio.wrap(store)
        events = backend.session_store.follow_events(session.id, idle_timeout=10.0)
        for number in range(1, 4):
            await backend.session_store.append_event(event(session.id))
            async with asyncio.timeout(5):
                assert (await anext(events)).sequence_number == number
        await events.aclose()
        await backend.close()

    run(main())
