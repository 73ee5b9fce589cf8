"""Compaction is one transaction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from agents.memory import OpenAIResponsesCompactionSession

from asm_core import ValidationError
from openai_agents_asm import AsmSession

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.asyncio
ITEMS: list[Any] = [{"role": "user", "content": str(number)} for number in range(6)]
SUMMARY: Any = {"role": "assistant", "content": "summary"}


@pytest_asyncio.fixture
async def session(backend: Backend) -> AsmSession:
    session = AsmSession("s", backend)
    await session.add_items(ITEMS)
    return session


async def summarize(_: list[Any]) -> list[Any]:
    return [SUMMARY]


async def test_compaction_replaces_all_but_the_newest(session: AsmSession) -> None:
    assert await session.compact(summarize, keep=2)
    assert await session.get_items() == [SUMMARY, *ITEMS[-2:]]
    assert not await session.compact(summarize, keep=3)


async def test_compaction_that_fails_leaves_the_old_items(session: AsmSession) -> None:
    async def fail(_: list[Any]) -> list[Any]:
        message = "no summary"
        raise RuntimeError(message)

    async def nonsense(_: list[Any]) -> list[Any]:
        return [SUMMARY, object()]

    with pytest.raises(RuntimeError, match="no summary"):
        await session.compact(fail)
    with pytest.raises(ValidationError, match="object"):
        await session.compact(nonsense)
    assert await session.get_items() == ITEMS


@pytest.mark.parametrize("change", ["add", "pop"])
async def test_compaction_of_items_that_changed_does_nothing(
    session: AsmSession, backend: Backend, change: str
) -> None:
    other = AsmSession("s", backend)

    async def slow(items: list[Any]) -> list[Any]:
        await (other.add_items([SUMMARY]) if change == "add" else other.pop_item())
        return await summarize(items)

    assert not await session.compact(slow)
    assert await session.get_items() == ([*ITEMS, SUMMARY] if change == "add" else ITEMS[:-1])


async def test_concurrent_compactions_and_adds_lose_nothing(session: AsmSession, backend: Backend) -> None:
    others = [AsmSession("s", backend) for _ in range(4)]
    added: list[Any] = [{"role": "user", "content": f"new {number}"} for number in range(12)]
    calls: list[Any] = [others[number % 4].add_items([item]) for number, item in enumerate(added)]
    outcomes = await asyncio.gather(*calls, *(other.compact(summarize) for other in others), return_exceptions=True)
    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    items = await session.get_items()
    if SUMMARY not in items:
        assert [item for item in items if item in ITEMS] == ITEMS
    # What a compaction did not replace is there once.
    assert all(items.count(item) <= 1 for item in [*ITEMS, *added])


async def test_snapshot_replaces_a_suffix(session: AsmSession) -> None:
    snapshot = await session._get_compaction_snapshot(3)
    assert (snapshot.items, snapshot.complete) == (ITEMS[-3:], False)
    assert await snapshot.replace_suffix(1, [SUMMARY])
    assert await session.get_items() == [*ITEMS[:4], SUMMARY]
    assert not await snapshot.replace_suffix(1, [SUMMARY])
    assert (await session._get_compaction_snapshot(5)).complete


class Responses:
    """Stands for the client of the framework."""

    def __init__(self) -> None:
        self.responses = self
        self.fails = False

    async def compact(self, **_: Any) -> Any:
        if self.fails:
            message = "the API is down"
            raise RuntimeError(message)
        return type("Compacted", (), {"output": [SUMMARY], "usage": None})()


async def test_the_frameworks_compaction_replaces_all_items_or_none(session: AsmSession) -> None:
    client = Responses()
    wrapped = OpenAIResponsesCompactionSession("s", session, client=client)  # type: ignore[arg-type]
    client.fails = True
    with pytest.raises(RuntimeError, match="down"):
        await wrapped.run_compaction({"force": True, "compaction_mode": "input"})
    assert await session.get_items() == ITEMS
    client.fails = False
    await wrapped.run_compaction({"force": True, "compaction_mode": "input"})
    assert [item["content"] for item in await session.get_items()] == ["summary"]  # type: ignore[typeddict-item]
