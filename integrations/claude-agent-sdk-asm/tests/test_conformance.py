"""The SDK's own conformance suite, and a comparison with its store in memory."""

from __future__ import annotations

import random
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from claude_agent_sdk import InMemorySessionStore
from claude_agent_sdk.testing import run_session_store_conformance

import asm_core
from claude_agent_sdk_asm import AsmSessionStore

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.asyncio


async def test_store_passes_the_conformance_suite_of_the_sdk(backend: Backend) -> None:
    def empty() -> AsmSessionStore:
        for session in backend.session_store.list_sessions():
            backend.session_store.delete_session(session.id)
        return AsmSessionStore(backend)

    await run_session_store_conformance(empty)


async def test_memory_backend_passes_it_too() -> None:
    await run_session_store_conformance(lambda: AsmSessionStore(asm_core.open_backend("memory")))


@pytest.mark.parametrize("seed", range(2))
async def test_random_calls_answer_as_those_of_the_sdks_store(backend: Backend, seed: int) -> None:
    choose, numbers = random.Random(seed), count()  # noqa: S311
    ours, theirs = AsmSessionStore(backend), InMemorySessionStore()

    def key() -> Any:
        found = {"project_key": choose.choice(["p", "q:r"]), "session_id": choose.choice(["a", "b%3A"])}
        return found if choose.random() < 0.6 else {**found, "subpath": f"subagents/agent-{choose.randint(1, 2)}"}

    def entry() -> Any:
        number = next(numbers)
        made = {"type": choose.choice(["user", "assistant", "tag", "x"]), "timestamp": "2026-01-02T03:04:05.006Z"}
        made |= choose.choice([{}, {"uuid": str(number)}, {"customTitle": f"t{number}"}, {"tag": "t"}])
        return made | choose.choice([{}, {"message": {"role": made["type"], "content": f"hello {number}"}}])

    for _ in range(50):
        name = choose.choices(["append", "load", "list", "delete"], [6, 4, 4, 1])[0]
        where = key()
        if name == "append":
            entries = [entry() for _ in range(choose.randint(1, 4))]
            await ours.append(where, entries)
            await theirs.append(where, entries)
        elif name == "load":
            assert await ours.load(where) == await theirs.load(where)
        elif name == "delete":
            await ours.delete(where)
            await theirs.delete(where)
        else:
            assert await listing(ours, where) == await listing(theirs, where)


async def listing(store: Any, key: Any) -> Any:
    sessions = await store.list_sessions(key["project_key"])
    summaries = await store.list_session_summaries(key["project_key"])
    return (
        sorted(found["session_id"] for found in sessions),
        sorted((found["session_id"], repr(sorted(found["data"].items()))) for found in summaries),
        sorted(await store.list_subkeys(key)),
    )
