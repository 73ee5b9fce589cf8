"""The session against the framework's own, and its guarantees."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from agents import SQLiteSession
from agents.memory import Session, SessionSettings
from values import equal, nested

import asm_core
from openai_agents_asm import AsmSession

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.asyncio

ITEMS: list[Any] = [
    {"role": "user", "content": "hello"},
    {"role": "user", "content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "u"}]},
    {"role": "developer", "content": "be short", "type": "message"},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
    {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1', "id": "fc_1"},
    {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "2"}]},
    {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "q"}, "status": "completed"},
    {"type": "compaction", "encrypted_content": "opaque"},
    {"item": 1, "role": 3},
    {"role": "user", "content": "hello", "item": None},
    {"role": "user", "content": []},
    {"role": "user", "content": ["text"]},
    {"role": "user", "content": [{"type": "input_text", "text": None}]},
    {"role": "user", "content": [{"text": "only"}], "x": "\0asm:text:1"},
    {"type": "function_call_output", "call_id": "c2", "output": "plain"},
    {"type": "function_call_output", "call_id": "c3"},
    {"type": "shell_call", "call_id": "c4", "action": {"commands": ["ls"]}},
    {"openai_item": 1, "openai_item_rest": {"role": "user"}},
]


def user(text: object) -> Any:
    return {"role": "user", "content": str(text)}


def session(backend: Backend, name: str = "s", **options: Any) -> AsmSession:
    return AsmSession(name, backend, **options)


async def test_session_has_the_protocol(backend: Backend) -> None:
    assert isinstance(session(backend), Session)


@pytest.mark.parametrize("seed", range(3))
async def test_random_calls_answer_as_those_of_the_frameworks_session(backend: Backend, seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311
    ours, theirs = session(backend), SQLiteSession("s")
    for _ in range(40):
        name = choose.choices(["add", "get", "pop", "clear"], [6, 5, 3, 1])[0]
        if name == "add":
            arguments: tuple[Any, ...] = (choose.choices(ITEMS, k=choose.randint(0, 5)),)
        else:
            arguments = (choose.choice([None, -1, 0, 1, 3, 100]),) if name == "get" else ()
        method = {"add": "add_items", "get": "get_items", "pop": "pop_item", "clear": "clear_session"}[name]
        assert await getattr(ours, method)(*arguments) == await getattr(theirs, method)(*arguments)
    assert await ours.get_items() == await theirs.get_items()
    theirs.close()


async def test_limit_of_the_settings_is_the_default(backend: Backend) -> None:
    limited = session(backend, session_settings=SessionSettings(limit=2))
    await limited.add_items([user(number) for number in range(5)])
    assert await limited.get_items() == [user(3), user(4)]
    assert await limited.get_items(1) == [user(4)]


@pytest.mark.parametrize(
    "content",
    ["\ud800 lone", float("inf"), b"\x00\xff", 10**400, "\0", {"item": {"asm_parts": [1]}}],
    ids=["surrogate", "infinity", "bytes", "integer", "nul", "own keys"],
)
async def test_items_that_payloads_refuse_come_back_equal(backend: Backend, content: Any) -> None:
    items: Any = [{"role": "user", "content": content}, content, {"type": "x", "call_id": "\udfff", "y": [content]}]
    await session(backend).add_items(items)
    assert await session(backend).get_items() == items


async def test_nan_and_a_thousand_levels_come_back(backend: Backend) -> None:
    items: list[Any] = [nested(1_000), {"x": float("nan")}]
    await session(backend).add_items(items)
    assert equal(await session(backend).get_items(), items)


async def test_sessions_whose_ids_are_alike_are_separate(backend: Backend) -> None:
    names = ["a", "a:b", "a%3Ab", "A", "", "\ud800", "x" * 600, "x" * 601]
    for name in names:
        await session(backend, name).add_items([user(repr(name))])
    for name in names:
        assert await session(backend, name).get_items() == [user(repr(name))]


async def test_forty_concurrent_pops_return_forty_distinct_items(backend: Backend) -> None:
    sessions = [session(backend) for _ in range(4)]
    await sessions[0].add_items([user(number) for number in range(40)])
    popped = await asyncio.gather(*(sessions[number % 4].pop_item() for number in range(41)))
    assert sorted(int(item["content"]) for item in popped if item) == list(range(40))  # type: ignore[typeddict-item]
    assert await sessions[0].get_items() == []


async def test_cancelled_adds_are_whole_or_undone(backend: Backend) -> None:
    own = session(backend)
    await own.add_items([user("first")])

    async def add(number: int) -> bool:
        task = asyncio.ensure_future(own.add_items([user(number)] * 3))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return False
        return True

    await asyncio.gather(*(add(number) for number in range(20)))
    texts = [item["content"] for item in await own.get_items()]  # type: ignore[typeddict-item]
    assert all(texts.count(str(number)) in {0, 3} for number in range(20))


async def test_numbers_of_removed_items_stay_used(backend: Backend) -> None:
    own = session(backend)
    await own.add_items([user(1), user(2)])
    await own.pop_item()
    await own.clear_session()
    await own.add_items([user(3)])
    assert [event.sequence_number for event in backend.session_store.get_events(own.stored_id)] == [3]


async def test_a_session_that_was_deleted_is_created_again(backend: Backend) -> None:
    own = session(backend)
    await own.add_items([user(1)])
    backend.session_store.delete_session(own.stored_id)
    assert await own.get_items() == []
    assert await own.pop_item() is None
    await own.clear_session()
    await own.add_items([user(2)])
    assert await own.get_items() == [user(2)]


async def test_redacted_items_are_left_out(backend: Backend) -> None:
    own = session(backend)
    await own.add_items([user(1), user(2), user(3)])
    last = backend.session_store.get_events(own.stored_id)[-1]
    backend.session_store.redact_events(own.stored_id, [last.id])
    assert await own.get_items(2) == [user(1), user(2)]


async def test_session_works_on_the_memory_backend() -> None:
    async with asm_core.aio.open_backend("memory") as memory:
        own = AsmSession("s", memory)
        await own.add_items([user(1), user(2)])
        assert await own.pop_item() == user(2)
        assert await own.get_items() == [user(1)]
