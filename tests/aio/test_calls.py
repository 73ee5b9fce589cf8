"""Calls from event loops: results, cancellation, and the end."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.together import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]


def message(session: asm.Session, text: str = "hello") -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id, data={"role": "user", "content": text})


class Gate:
    """A change of a session, which holds its thread until the gate opens."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, session: asm.Session) -> asm.Session:
        self.entered.release()
        assert self.opened.wait(PATIENCE)
        return session.with_title("passed")

    async def has_entered(self, times: int = 1) -> None:
        for _ in range(times):
            assert await asyncio.to_thread(self.entered.acquire, timeout=PATIENCE)


def test_calls_return_what_the_ports_return(store: asm.Backend, run: Run) -> None:
    async def main() -> None:
        backend = asm.aio.wrap(store)
        assert (backend.name, backend.capabilities) == (store.name, store.capabilities)
        session = await backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
        event = await backend.session_store.append_event(message(session))
        assert event.sequence_number == 1
        assert await backend.session_store.get_events(session.id) == [event]
        assert (await backend.query_api.search_sessions(agent_id="assistant")).items == [session]
        assert await backend.maintenance.health_check() == []
        assert await backend.artifact_registry.list_by_session(session.id) == []
        await backend.close()

    run(main())
    assert store.query_api.count_events() == 1


def test_errors_are_raised_where_the_call_is_awaited(store: asm.Backend, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            with pytest.raises(asm.SessionNotFoundError):
                await backend.session_store.get_session("ses_unknown")
            with pytest.raises(asm.ValidationError):
                await backend.query_api.search_sessions(limit=0)

    run(main())


@pytest.mark.parametrize("awaits", [False, True])
def test_a_backend_is_opened_in_a_thread_and_closed(tmp_path: Path, run: Run, *, awaits: bool) -> None:
    url = f"sqlite:///{tmp_path}/asm.db"

    async def main() -> None:
        opening = asm.aio.open_backend("sqlmodel", url=url, migrate=True)
        if awaits:
            backend = await opening
            assert await backend.schema_version() > 0
            await backend.close()
        else:
            async with opening as backend:
                assert await backend.migrate() == []
        with pytest.raises(asm.StorageError, match="closed"):
            backend.sync.session_store.list_sessions()
        with pytest.raises(asm.StorageError, match="closed"):
            await backend.session_store.list_sessions()

    run(main())


def test_an_error_of_the_opening_is_raised(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(asm.UnknownBackendError):
            await asm.aio.open_backend("nothing")
        with pytest.raises(asm.ValidationError, match=r"wrap\(\) takes an open asm_core.Backend"):
            asm.aio.wrap("sqlmodel")  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("owns", [False, True])
def test_a_wrapped_backend_is_closed_by_its_owner(
    store: asm.Backend, run: Run, monkeypatch: pytest.MonkeyPatch, *, owns: bool
) -> None:
    closings: list[bool] = []
    monkeypatch.setattr(store, "close", lambda: closings.append(True))

    async def main() -> None:
        backend = asm.aio.wrap(store, owns=owns)
        await backend.close()
        await backend.close()
        with pytest.raises(asm.StorageError, match="closed"):
            await backend.session_store.list_sessions()

    run(main())
    assert closings == [True] * owns


def test_a_borrowed_backend_is_not_closed(store: asm.Backend, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            borrowed = asm.aio.wrap(backend)
            assert borrowed.sync is store
            await borrowed.close()
            await asm.aio.wrap(borrowed).close()
            assert await borrowed.session_store.list_sessions() == await backend.session_store.list_sessions()
            assert asm.aio.wrap(backend, owns=True) is backend
        with pytest.raises(asm.StorageError, match="closed"):
            await borrowed.session_store.list_sessions()

    run(main())


def hold_all_threads(backend: asm.aio.Backend, gate: Gate) -> list[asyncio.Task[asm.Session]]:
    """Begin a call in each thread of the backend, on a session each."""
    sessions = [asm.Session.new(agent_id="holder") for _ in range(backend.sync.connections)]
    for session in sessions:
        backend.sync.session_store.save_session(session)
    return [asyncio.create_task(backend.session_store.update_session(found.id, gate)) for found in sessions]


def test_a_call_that_was_cancelled_before_it_began_does_nothing(
    store: asm.Backend, session: asm.Session, run: Run
) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            gate = Gate()
            holding = hold_all_threads(backend, gate)
            await gate.has_entered(len(holding))
            waiting = asyncio.create_task(backend.session_store.append_event(message(session)))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not gate.opened.is_set()
            gate.opened.set()
            await asyncio.gather(*holding)

    run(main())
    assert store.session_store.get_events(session.id) == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_call_that_was_cancelled_after_it_began_is_whole(
    store: asm.Backend, session: asm.Session, run: Run, times: int
) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            gate = Gate()
            writing = asyncio.create_task(backend.session_store.update_session(session.id, gate))
            await gate.has_entered()
            for _ in range(times):
                writing.cancel()
                await asyncio.sleep(0.01)
            assert not writing.done()
            gate.opened.set()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert store.session_store.get_session(session.id).title == "passed"

    run(main())


def test_a_function_of_several_calls_is_ended_before_its_cancellation_is_raised(
    store: asm.Backend, session: asm.Session, run: Run
) -> None:
    gate = Gate()

    def write_twice(text: str) -> int:
        with store.transaction() as ports:
            ports.session_store.append_event(message(session, text))
            ports.session_store.update_session(session.id, gate)
            return ports.session_store.append_event(message(session, text)).sequence_number

    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            writing = asyncio.create_task(backend.run(write_twice, "first"))
            await gate.has_entered()
            writing.cancel()
            gate.opened.set()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert await backend.run(write_twice, text="second") == 4

    run(main())
    texts = [event.data["content"] for event in store.session_store.get_events(session.id)]
    assert texts == ["first", "first", "second", "second"]


def test_a_timeout_raises_after_the_write_has_ended(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            gate = Gate()
            asyncio.get_running_loop().call_later(0.1, gate.opened.set)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await backend.session_store.update_session(session.id, gate)
            assert store.session_store.get_session(session.id).title == "passed"

    run(main())


def test_cancelled_appends_are_stored_whole_or_not_at_all(store: asm.Backend, session: asm.Session, run: Run) -> None:
    batches = [[message(session, f"{batch}") for _ in range(5)] for batch in range(60)]

    async def main() -> list[bool]:
        async with asm.aio.wrap(store) as backend:
            appending = [asyncio.create_task(backend.session_store.append_events(batch)) for batch in batches]
            for number, task in enumerate(appending):
                if number % 3:
                    await asyncio.sleep(0)
                    task.cancel()
            ended = await asyncio.gather(*appending, return_exceptions=True)
            return [isinstance(result, list) for result in ended]

    acknowledged = run(main())
    stored = [event.data["content"] for event in store.session_store.get_events(session.id)]
    counts = [stored.count(f"{batch}") for batch in range(60)]
    assert set(counts) <= {0, 5}
    assert all(count == 5 for count, is_stored in zip(counts, acknowledged, strict=True) if is_stored)


def test_close_waits_for_calls_with_a_limit(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        backend = asm.aio.wrap(store)
        gate = Gate()
        writing = asyncio.create_task(backend.session_store.update_session(session.id, gate))
        await gate.has_entered()
        with pytest.raises(asm.StorageError, match=r"1 calls are still under way after 0\.01 seconds"):
            await backend.close(timeout=0.01)
        with pytest.raises(asm.StorageError, match="closed"):
            await backend.session_store.get_session(session.id)
        closing = asyncio.create_task(backend.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        gate.opened.set()
        await closing
        assert (await writing).title == "passed"
        await backend.close()

    run(main())


def test_loops_may_come_and_go(store: asm.Backend, session: asm.Session, run: Run) -> None:
    backend = asm.aio.wrap(store)

    async def main(text: str) -> None:
        await asyncio.gather(*(backend.session_store.append_event(message(session, text)) for _ in range(10)))

    for number in range(3):
        run(main(f"{number}"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: asyncio.run(main(f"{number}")), range(4)))
    run(backend.close())
    assert store.session_store.get_latest_sequence(session.id) == 70


def test_nothing_blocks_the_loop(store: asm.Backend, session: asm.Session, run: Run) -> None:
    """The loop is compared with itself: it ticks about as often as without any call."""

    async def main() -> float:
        async with asm.aio.wrap(store) as backend:
            longest, gate = 0.0, Gate()
            holding = hold_all_threads(backend, gate)
            await gate.has_entered(len(holding))
            work = [asyncio.create_task(backend.session_store.append_event(message(session))) for _ in range(50)]
            before = time.perf_counter()
            for _ in range(50):
                await asyncio.sleep(0.002)
                now = time.perf_counter()
                longest, before = max(longest, now - before), now
            assert not any(task.done() for task in [*holding, *work])
            gate.opened.set()
            await asyncio.gather(*holding, *work)
            return longest

    assert run(main()) < 1.0  # a call that blocks would block until the gate opens


def test_without_asyncio_the_error_names_the_way() -> None:
    backend = asm.aio.wrap(asm.MemoryBackend())
    call = backend.session_store.list_sessions()
    with pytest.raises(asm.StorageError, match=r"needs a running asyncio event loop.*Trio is not supported"):
        call.send(None)


def test_threads_are_as_many_as_connections(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> int:
        async with asm.aio.wrap(store) as backend:
            before = threading.active_count()
            await asyncio.gather(*(backend.session_store.append_event(message(session)) for _ in range(100)))
            return threading.active_count() - before

    assert run(main()) <= store.connections
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asm-aio")]


def test_a_context_reaches_the_thread(session: asm.Session, store: asm.Backend, run: Run) -> None:
    request = ContextVar("request", default="none")
    seen = []

    def change(found: asm.Session) -> asm.Session:
        seen.append(request.get())
        return found

    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            request.set("7")
            await backend.session_store.update_session(session.id, change)

    run(main())
    assert seen == ["7"]


def test_a_forked_child_begins_with_threads_of_its_own(store: asm.Backend, session: asm.Session, run: Run) -> None:
    backend = asm.aio.wrap(store)
    run(read(backend, session))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os._exit(0 if asyncio.run(asyncio.wait_for(read(backend, session), PATIENCE)) == session else 1)
    assert os.waitpid(child, 0)[1] == 0
    run(backend.close())


async def read(backend: asm.aio.Backend, session: asm.Session) -> asm.Session:
    return await backend.session_store.get_session(session.id)
