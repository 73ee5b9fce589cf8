"""Conversations, awaited."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.together import PATIENCE
from asm_core.aio.streams import RunStream
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SLOW = FakeTurn(text="one two three", delay=60)


class Asks(asm.AsyncProvider):
    """A provider in the loop, which needs the conversation and the consent of the manager."""

    name = "asks"

    async def execute(self, _run: asm.Run, _session: asm.Session, emit: asm.AsyncEmit) -> asm.ProviderResult:
        said = [message.text for message in await emit.transcript()]
        decision = await emit.approve_tool("c1", "look", {})
        await emit("message_received", {"role": "assistant", "content": f"{len(said)} {decision.allowed}"})
        return asm.ProviderResult(output={"said": said})


def with_manager(
    store: asm.Backend,
    run: Any,
    provider: asm.Provider | asm.AsyncProvider,
    work: Callable[[asm.aio.SessionManager, str], Coroutine[Any, Any, None]],
) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            manager = asm.aio.SessionManager(backend.session_store, provider)
            await work(manager, (await manager.start_session()).id)

    run(main())


def test_a_provider_in_the_loop_gets_the_conversation(store: asm.Backend, run: Any) -> None:
    async def work(manager: asm.aio.SessionManager, session_id: str) -> None:
        await manager.run(session_id, "one")
        assert (await manager.run(session_id, "two")).output == {"said": ["one", "1 True", "two"]}

    with_manager(store, run, Asks(), work)


def test_a_stream_yields_the_events_of_its_run_and_the_result(store: asm.Backend, run: Any) -> None:
    async def work(manager: asm.aio.SessionManager, session_id: str) -> None:
        async with manager.stream(session_id, "Hello") as stream:
            events = [event async for event in stream]
        assert [str(event.type) for event in events][-1] == "run_completed"
        assert "".join(event.data["delta"] for event in events if event.type == "message_streamed") == "Hi Ann!"
        assert stream.result.output["content"] == "Hi Ann!"

    with_manager(store, run, FakeProvider(["Hi Ann!"]), work)


def test_a_stream_that_is_left_cancels_its_run(store: asm.Backend, run: Any) -> None:
    async def work(manager: asm.aio.SessionManager, session_id: str) -> None:
        async with manager.stream(session_id, "Count.") as stream:
            await anext(stream)
            with pytest.raises(asm.ProviderError, match="has not ended"):
                _ = stream.result
        [ended] = store.session_store.list_runs(session_id)
        assert ended.status == "cancelled"

    with_manager(store, run, FakeProvider([SLOW]), work)


def test_a_stream_raises_the_error_of_its_run_at_its_end(store: asm.Backend, run: Any) -> None:
    async def work(manager: asm.aio.SessionManager, session_id: str) -> None:
        stream = manager.stream(session_id, "Count.")
        for expected in ("run_started", "message_sent", "run_failed"):
            assert (await anext(stream)).type == expected
        with pytest.raises(asm.ProviderTimeoutError):
            await anext(stream)

    with_manager(store, run, FakeProvider([asm.ProviderTimeoutError()]), work)


def test_a_cancelled_consumer_cancels_the_run(store: asm.Backend, run: Any) -> None:
    async def work(manager: asm.aio.SessionManager, session_id: str) -> None:
        async def consume() -> None:
            async with manager.stream(session_id, "Count.") as stream:
                async for _ in stream:
                    begun.set()

        begun = asyncio.Event()
        task = asyncio.create_task(consume())
        await asyncio.wait_for(begun.wait(), PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [ended] = store.session_store.list_runs(session_id)
        assert ended.status == "cancelled"

    with_manager(store, run, FakeProvider([SLOW]), work)


def test_a_consumer_that_is_cancelled_as_an_event_arrives_loses_none(run: Any) -> None:
    async def main() -> None:
        async def execute(*, on_event: Callable[[int], Coroutine[Any, Any, None]]) -> None:
            for number in range(20):
                await on_event(number)
                waiting[-1].cancel()
                await asyncio.sleep(0)

        stream: Any = RunStream(execute)  # type: ignore[arg-type]
        waiting: list[asyncio.Task[int]] = []
        seen: list[int] = []
        while len(waiting) < 60:
            waiting.append(asyncio.create_task(stream.__anext__()))
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                seen.append(await waiting[-1])
        assert seen == list(range(20))

    run(main())
