"""`openai-agents-asm` against the SDK's `SQLiteSession`, which also waits for the disk at each commit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from agents import SQLiteSession

import asm_core
from benchmarks.integrations.comparing import Comparison
from openai_agents_asm import AsmSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BAR: Final = 1.5


def items(count: int) -> list[Any]:
    """Return messages and calls of a tool, as a model returns them."""
    made: list[Any] = []
    for number in range(count):
        made += [
            {"role": "user", "content": f"What is the weather in city {number}?"},
            {"type": "function_call", "call_id": f"c{number}", "name": "weather", "arguments": '{"city": "Oslo"}'},
            {"type": "function_call_output", "call_id": f"c{number}", "output": "sunny, 20 degrees, no wind"},
            {
                "id": f"msg_{number}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "It is sunny in Oslo. " * 5, "annotations": []}],
            },
        ]
    return made[:count]


@asynccontextmanager
async def comparisons(directory: Path) -> AsyncIterator[list[Comparison]]:
    """Yield the workloads, on sessions with 1,000 items."""
    theirs = partial(SQLiteSession, db_path=directory / "theirs.db")
    # Both wait for the disk at each commit.
    url = f"sqlite:///{directory / 'ours.db'}"
    async with asm_core.aio.open_backend("sqlmodel", url=url, migrate=True, synchronous="full") as backend:
        sessions = {name: (theirs(name), AsmSession(name, backend)) for name in ("one", "many", "whole", "pop")}
        for session in sessions["whole"]:
            await session.add_items(items(1_000))
        for session in sessions["pop"]:
            await session.add_items(items(300))

        def row(title: str, name: str, method: str, *args: Any, calls: int = 1) -> Comparison:
            mine, own = (getattr(session, method) for session in sessions[name])
            return Comparison(title, partial(mine, *args), partial(own, *args), calls)

        yield [
            row("append 1", "one", "add_items", items(1), calls=10),
            row("append 100", "many", "add_items", items(100)),
            row("read 1,000", "whole", "get_items", calls=3),
            row("read the last 20 of 1,000", "whole", "get_items", 20, calls=10),
            row("pop", "pop", "pop_item", calls=3),
        ]
        for session, _ in sessions.values():
            session.close()
