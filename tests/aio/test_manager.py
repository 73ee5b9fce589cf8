"""The session manager for asyncio: providers in the loop and in threads, cancellation, and the end of a run."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.together import PATIENCE
from asm_core.errors import ProviderError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    Body = Callable[[asm.Run, asm.AsyncEmit], Any]

MANY = 50
STALL = 5.0
"""Seconds: 150 threads of so many runs share two cores with other tests. A blocked loop would take more."""
language: ContextVar[str] = ContextVar("language", default="none")


class Model(asm.AsyncProvider):
    """A provider whose coroutine is given."""

    name = "model"

    def __init__(self, body: Body) -> None:
        self.body = body

    async def execute(self, run: asm.Run, _session: asm.Session, emit: asm.AsyncEmit) -> asm.ProviderResult:
        return asm.ProviderResult(output={"answer": await self.body(run, emit)})


class Echo(asm.Provider):
    """A provider that works in a thread."""

    name = "echo"

    def execute(self, run: asm.Run, _session: asm.Session, emit: asm.Emit) -> asm.ProviderResult:
        emit("message_received", {"role": "assistant", "content": run.input["prompt"]})
        return asm.ProviderResult(output={"answer": language.get()})

    def cancel(self, run_id: str) -> None:
        """Do nothing: the run ends by itself."""


async def words(run: asm.Run, emit: asm.AsyncEmit) -> str:
    for number in range(10):
        await emit("message_streamed", {"delta": f"word {number} "})
    return str(run.input["prompt"])


async def forever(_run: asm.Run, emit: asm.AsyncEmit) -> str:
    await emit("message_streamed", {"delta": "begun"})
    await asyncio.sleep(PATIENCE)
    return "never"


async def fail(_run: asm.Run, _emit: asm.AsyncEmit) -> str:
    raise ProviderError("overloaded", details={"status": 529})


def test_an_asynchronous_provider_is_recorded_in_order(store: asm.Backend, run: Any) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            manager = asm.aio.SessionManager(backend.session_store, Model(words))
            result = await manager.run_once({"prompt": "hello"}, agent_id="assistant")
            assert result.output == {"answer": "hello"}
            session = await backend.session_store.get_session(result.session_id)
            assert session.status == "completed"
            events = await backend.session_store.get_events(result.session_id, type="message_streamed")
            assert [event.data["delta"] for event in events] == [f"word {number} " for number in range(10)]

    run(main())


def test_a_synchronous_provider_works_in_a_thread_with_the_callers_context(store: asm.Backend, run: Any) -> None:
    async def main() -> None:
        language.set("nepali")
        async with asm.aio.wrap(store) as backend:
            manager = asm.aio.SessionManager(backend.session_store, Echo())
            assert (await manager.run_once({"prompt": "hello"})).output == {"answer": "nepali"}

    run(main())


def test_an_asynchronous_provider_runs_in_the_callers_loop_and_context(store: asm.Backend, run: Any) -> None:
    async def where(_run: asm.Run, _emit: asm.AsyncEmit) -> list[Any]:
        return [threading.get_ident(), language.get()]

    async def main() -> None:
        language.set("nepali")
        async with asm.aio.wrap(store) as backend:
            result = await asm.aio.SessionManager(backend.session_store, Model(where)).run_once({})
            assert result.output == {"answer": [threading.get_ident(), "nepali"]}

    run(main())


def test_a_failure_is_recorded_and_raised(store: asm.Backend, run: Any) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            with pytest.raises(ProviderError, match="overloaded") as found:
                await asm.aio.SessionManager(backend.session_store, Model(fail)).run_once({})
            assert found.value.details["status"] == 529
            ended = await backend.session_store.get_run(found.value.details["run_id"])
            assert ended.status == "failed"

    run(main())


@pytest.mark.parametrize("is_synchronous", [False, True])
def test_a_timeout_ends_the_task_of_the_provider(store: asm.Backend, run: Any, *, is_synchronous: bool) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            in_thread = partial(asyncio.to_thread, asm.SessionManager(store.session_store, Model(forever)).run_once)
            in_loop = asm.aio.SessionManager(backend.session_store, Model(forever)).run_once
            with pytest.raises(ProviderError) as found:
                await (in_thread if is_synchronous else in_loop)({}, timeout=0.1)
            ended = await backend.session_store.get_run(found.value.details["run_id"])
            assert ended.status == "timeout"

    run(main())


def test_a_cancelled_task_ends_its_run_before_it_ends_itself(store: asm.Backend, run: Any) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            manager = asm.aio.SessionManager(backend.session_store, Model(forever))
            task = asyncio.create_task(manager.run_once({}))
            [session] = await _listed(backend)
            await anext(backend.session_store.follow_events(session.id, type="message_streamed", idle_timeout=PATIENCE))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            [ended] = await backend.session_store.list_runs(session.id)
            assert ended.status == "cancelled"
            assert (await backend.session_store.get_session(session.id)).status == "cancelled"
            assert len(asyncio.all_tasks()) == 1

    run(main())


def test_a_run_is_cancelled_from_another_task(store: asm.Backend, run: Any) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            manager = asm.aio.SessionManager(backend.session_store, Model(forever))
            session = await manager.start_session(agent_id="assistant")
            await manager.activate_session(session.id)
            begun = await manager.start_run(session.id, {"prompt": "hello"})
            task = asyncio.create_task(manager.execute_run(begun.id))
            await anext(backend.session_store.follow_events(session.id, type="message_streamed", idle_timeout=PATIENCE))
            await manager.cancel_run(begun.id)
            with pytest.raises(ProviderError) as found:
                await task
            assert found.value.details["cancelled"] is True
            assert (await manager.complete_session(session.id)).status == "completed"

    run(main())


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_events_are_announced_in_the_loop(store: asm.Backend, run: Any, *, is_coroutine: bool) -> None:
    heard: list[tuple[int, str]] = []

    def listen(event: asm.Event) -> None:
        heard.append((threading.get_ident(), str(event.type)))

    async def listen_later(event: asm.Event) -> None:
        await asyncio.sleep(0)
        listen(event)

    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            manager = asm.aio.SessionManager(backend.session_store, Model(words))
            result = await manager.run_once({"prompt": "hello"}, on_event=listen_later if is_coroutine else listen)
            assert heard == [(threading.get_ident(), str(event.type)) for event in result.events]

    run(main())


def test_many_runs_at_once_do_not_block_the_loop(store: asm.Backend, run: Any) -> None:
    stalls: list[float] = []

    async def look() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            stalls.append(time.monotonic() - begun - 0.01)

    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            looking = asyncio.create_task(look())
            manager = asm.aio.SessionManager(backend.session_store, Model(words))
            results = await asyncio.gather(*(manager.run_once({"prompt": str(number)}) for number in range(MANY)))
            looking.cancel()
            assert [result.output["answer"] for result in results] == list(map(str, range(MANY)))

    before = threading.active_count()
    run(main())
    assert sorted(stalls)[len(stalls) // 2] < STALL
    deadline = time.monotonic() + PATIENCE
    while threading.active_count() > before:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.01)


def test_the_synchronous_manager_takes_an_asynchronous_provider(store: asm.Backend) -> None:
    result = asm.SessionManager(store.session_store, Model(words)).run_once({"prompt": "hello"})
    assert result.output == {"answer": "hello"}
    assert [event.type for event in result.events].count("message_streamed") == 10


def test_a_manager_needs_the_store_of_an_asynchronous_backend(store: asm.Backend, run: Any) -> None:
    with pytest.raises(ValidationError, match=r"session_store of an asm_core\.aio\.Backend"):
        asm.aio.SessionManager(store.session_store, Echo())  # type: ignore[arg-type]

    async def main() -> None:
        async with asm.aio.wrap(store) as backend, backend.transaction() as bound:
            with pytest.raises(ValidationError, match="outside of transactions"):
                asm.aio.SessionManager(bound.session_store, Echo())

    run(main())


async def _listed(backend: asm.aio.Backend) -> list[asm.Session]:
    """Return the sessions, once there is one."""
    found: list[asm.Session] = []
    for _ in range(1000):
        found = found or await backend.session_store.list_sessions()
    return found
