"""What the store guarantees beyond the SDK's suite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from claude_agent_sdk import fold_session_summary, rename_session_via_store
from values import equal, nested

import asm_core
from claude_agent_sdk_asm import AsmSessionStore

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.asyncio
KEY: Any = {"project_key": "-home-ada", "session_id": "550e8400-e29b-41d4-a716-446655440000"}
SUB: Any = {**KEY, "subpath": "subagents/agent-1"}


@pytest.fixture
def store(backend: Backend) -> AsmSessionStore:
    return AsmSessionStore(backend, user_id="ada")


def entry(uuid: object, **more: Any) -> Any:
    return {"type": "x", "uuid": str(uuid), **more}


async def test_batch_with_a_duplicate_is_not_lost(store: AsmSessionStore) -> None:
    await store.append(KEY, [entry(1), entry(2)])
    await store.append(KEY, [entry(2), entry(3)])
    await store.append(KEY, [entry(3, changed=True), entry(4), entry(4, changed=True), entry(5)])
    assert await store.load(KEY) == [entry(number) for number in range(1, 6)]


async def test_repeated_batch_is_stored_once_and_entries_without_uuid_each_time(store: AsmSessionStore) -> None:
    batch: Any = [entry(1), {"type": "tag", "tag": "a"}]
    await store.append(KEY, batch)
    await store.append(KEY, batch)
    assert await store.load(KEY) == [*batch, batch[1]]


async def test_one_uuid_in_two_transcripts_is_two_entries(store: AsmSessionStore) -> None:
    await store.append(KEY, [entry(1)])
    await store.append(SUB, [entry(1, sub=True)])
    assert (await store.load(KEY), await store.load(SUB)) == ([entry(1)], [entry(1, sub=True)])


@pytest.mark.parametrize(
    "value",
    ["\ud800", float("-inf"), b"\x00", -(10**400), "\0", {"asm_parts": ["x"]}],
    ids=["surrogate", "infinity", "bytes", "integer", "nul", "own keys"],
)
async def test_values_that_payloads_refuse_come_back_equal(store: AsmSessionStore, value: Any) -> None:
    entries: Any = [
        {"type": "user", "uuid": "u\udfff", "customTitle": value, "message": {"role": "user", "content": value}},
        {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": value}, value]}},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": value, "x": value}]}},
        {"type": "user", "message": {"content": [{"type": "text", "text": "plain"}], "x": value}, "claude_entry": 1},
        {"type": "user", "message": {"content": [value]}},
        {"type": "user", "message": {"content": []}},
        {"type": "user", "message": {"content": [{"type": "tool_result", "content": value}]}},
    ]
    await store.append(KEY, entries)
    assert await store.load(KEY) == entries
    assert len(await store.list_session_summaries(KEY["project_key"])) == 1


async def test_a_thousand_levels_come_back(store: AsmSessionStore) -> None:
    await store.append(KEY, [entry(1, deep=nested(1_000))])
    loaded: Any = await store.load(KEY)
    assert equal(loaded[0]["deep"], nested(1_000))


async def test_keys_that_are_alike_are_separate(store: AsmSessionStore) -> None:
    keys: list[Any] = [
        {"project_key": "a", "session_id": "b:c"},
        {"project_key": "a:b", "session_id": "c"},
        {"project_key": "a", "session_id": "b", "subpath": "c"},
        {"project_key": "a%3Ab", "session_id": "c"},
        {"project_key": "x" * 600, "session_id": "c"},
        {"project_key": "x" * 601, "session_id": "c"},
    ]
    for number, key in enumerate(keys):
        await store.append(key, [entry(number)])
    for number, key in enumerate(keys):
        assert await store.load(key) == [entry(number)]
    assert [found["session_id"] for found in await store.list_sessions("x" * 600)] == ["c"]


async def test_concurrent_appends_keep_all_entries_and_the_summary_of_all(
    backend: Backend, store: AsmSessionStore
) -> None:
    stores = [AsmSessionStore(backend) for _ in range(4)]
    batches = [[entry(f"{number}-{place}", customTitle=f"{number}") for place in range(3)] for number in range(16)]
    await asyncio.gather(*(stores[number % 4].append(KEY, batch) for number, batch in enumerate(batches)))
    loaded: Any = await store.load(KEY)
    assert sorted(map(repr, loaded)) == sorted(repr(each) for batch in batches for each in batch)
    (summary,) = await store.list_session_summaries(KEY["project_key"])
    assert summary["data"] == fold_session_summary(None, KEY, loaded)["data"]


async def test_cancelled_append_is_whole_or_undone(store: AsmSessionStore) -> None:
    await store.append(KEY, [entry("first")])

    async def append(number: int) -> None:
        task = asyncio.ensure_future(store.append(KEY, [{"type": "x", "n": number}] * 3))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    await asyncio.gather(*(append(number) for number in range(12)))
    counts = [each.get("n") for each in await store.load(KEY) or []]  # type: ignore[attr-defined]
    assert all(counts.count(number) in {0, 3} for number in range(12))


async def test_times_of_appends_increase(store: AsmSessionStore) -> None:
    times = []
    for number in range(5):
        await store.append(KEY, [entry(number)])
        times += [found["mtime"] for found in await store.list_sessions(KEY["project_key"])]
    assert times == sorted(set(times))
    assert len(times) == 5


async def test_copies_and_deleted_sessions_are_not_listed(backend: Backend, store: AsmSessionStore) -> None:
    await store.append(KEY, [entry(1)])
    backend.session_store.fork_session(store.stored_id(KEY))
    assert len(await store.list_sessions(KEY["project_key"])) == 1
    assert await store.list_subkeys(KEY) == []
    backend.maintenance.soft_delete_session(store.stored_id(KEY))
    assert await store.list_sessions(KEY["project_key"]) == []
    assert await store.load(KEY) is None


async def test_helpers_of_the_sdk_work_on_the_store(backend: Backend, store: AsmSessionStore) -> None:
    await store.append(KEY, [entry(1)])
    await rename_session_via_store(store, KEY["session_id"], "A new name", directory="/home/ada")
    stored = [session.title for session in backend.session_store.list_sessions()]
    assert "A new name" in stored


USAGE = {"input_tokens": 3, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 50, "output_tokens": 7}


def said(uuid: str, kind: str, content: Any, **message: Any) -> Any:
    return {
        "type": kind,
        "uuid": uuid,
        "timestamp": "2026-05-06T07:08:09.123Z",
        "message": {"role": kind, "content": content, **message},
    }


TURN = [
    said("1", "user", "Which files are there?"),
    said(
        "2",
        "assistant",
        [{"type": "thinking", "thinking": "hm", "signature": "s"}],
        id="m1",
        model="claude-x",
        usage=USAGE,
    ),
    said(
        "3",
        "assistant",
        [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}],
        id="m1",
        model="claude-x",
        usage={**USAGE, "output_tokens": 20},
    ),
    said("4", "user", [{"type": "tool_result", "tool_use_id": "t1", "content": "a.txt", "is_error": False}]),
    said("5", "assistant", [{"type": "text", "text": "One file."}], id="m2", model="claude-x", usage=USAGE),
]


async def test_messages_calls_and_tokens_are_those_of_the_store(backend: Backend, store: AsmSessionStore) -> None:
    for part in (TURN[:2], TURN[2:4], TURN[2:]):
        await store.append(KEY, part)
    stored = store.stored_id(KEY)
    events = backend.session_store.get_events(stored)
    assert [str(event.type) for event in events] == [
        "message_sent",
        "message_received",
        "tool_call_started",
        "tool_call_completed",
        "message_received",
    ]
    assert events[2].data["tool_input"] == {"command": "ls"}
    assert events[4].data == {"role": "assistant", "content": "One file."}
    assert await store.load(KEY) == TURN
    assert f"{events[0].timestamp:%H:%M:%S.%f}" == "07:08:09.123000"
    (run,) = backend.session_store.list_runs(stored)
    assert (run.model, run.turn_count) == ("claude-x", 2)
    assert run.token_usage == {
        "input_tokens": 306,
        "cache_read_tokens": 100,
        "cache_write_tokens": 200,
        "output_tokens": 27,
    }
    session = backend.session_store.get_session(stored)
    assert (session.title, session.user_id, session.status) == ("Which files are there?", "ada", "active")


async def test_retention_removes_entries(backend: Backend, store: AsmSessionStore) -> None:
    await store.append(KEY, TURN)
    backend.maintenance.execute(asm_core.RetentionPolicy(max_events_per_session=3, exempt_statuses=()))
    kept = await store.load(KEY)
    assert kept is not None
    assert 0 < len(kept) <= 3
    backend.maintenance.erase_user("ada")
    assert await store.load(KEY) is None
