"""`claude-agent-sdk-asm` against the SDK's stores.

The SDK ships a store in memory only, with which reads are compared. Appends are compared with what Claude Code does
itself: it writes lines to a file, which here waits for the disk, as the database does.
"""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from claude_agent_sdk import InMemorySessionStore

import asm_core
from benchmarks.integrations.comparing import Comparison
from claude_agent_sdk_asm import AsmSessionStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BAR: Final = float("inf")
"""None: memory is no durable store, and a file has no index and no summary."""


def entries(count: int) -> list[Any]:
    """Return entries as Claude Code writes them."""
    usage = {"input_tokens": 3, "cache_read_input_tokens": 50, "output_tokens": 7}
    made: list[Any] = []
    for number in range(count):
        about = {"cwd": "/home/ada", "gitBranch": "main", "version": "2", "timestamp": "2026-05-06T07:08:09.123Z"}
        if number % 2:
            message: dict[str, Any] = {"role": "assistant", "id": f"m{number}", "model": "claude-x", "usage": usage}
            message |= {"content": [{"type": "text", "text": "It is sunny in Oslo. " * 5}]}
        else:
            message = {"role": "user", "content": f"What is the weather in city {number}?"}
        made.append({"type": message["role"], "message": message, **about})
    return made


@asynccontextmanager
async def comparisons(directory: Path) -> AsyncIterator[list[Comparison]]:
    """Yield the workloads, in a project with 50 sessions of 20 entries and one of 1,000."""
    url = f"sqlite:///{directory / 'ours.db'}"
    async with asm_core.aio.open_backend("sqlmodel", url=url, migrate=True, synchronous="full") as backend:
        memory, ours = InMemorySessionStore(), AsmSessionStore(backend)
        whole: Any = {"project_key": "p", "session_id": "whole"}
        for store in (memory, ours):
            await store.append(whole, entries(1_000))
            for number in range(50):
                await store.append({"project_key": "p", "session_id": str(number)}, entries(20))
        new: Any = {"project_key": "q", "session_id": "new"}

        def appended(title: str, count: int, calls: int) -> Comparison:
            made = entries(count)
            return Comparison(title, partial(_append, directory / title, made), partial(ours.append, new, made), calls)

        yield [
            appended("append 1 (a file)", 1, 10),
            appended("append 100 (a file)", 100, 1),
            Comparison("load 1,000 (memory)", partial(memory.load, whole), partial(ours.load, whole), 3),
            Comparison(
                "list 51 sessions (memory)", partial(memory.list_sessions, "p"), partial(ours.list_sessions, "p"), 3
            ),
        ]


async def _append(path: Path, made: list[Any]) -> None:
    with path.open("a") as file:
        file.writelines(f"{json.dumps(entry)}\n" for entry in made)
        file.flush()
        os.fsync(file.fileno())
