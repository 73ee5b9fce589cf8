"""`pydantic-ai-asm` against what Pydantic AI ships.

It ships a store in memory only, with which reads are compared. Saves are compared with lines of JSON in a file, which
here waits for the disk, as the database does.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord, InMemoryConversationStore
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.usage import RequestUsage

import asm_core
from asm_core.values.ids import new_id
from benchmarks.integrations.comparing import Comparison
from pydantic_ai_asm import AsmConversationStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pydantic_ai.conversation_store import ConversationStore

BAR: Final = float("inf")
"""None: memory is no durable store, and a file has no index, no revision and no totals."""


def entries(count: int, parent_id: str | None = None) -> list[ConversationEntry]:
    """Return questions and answers, each after the one before it."""
    made: list[ConversationEntry] = []
    for number in range(count):
        message: Any = ModelRequest(parts=[UserPromptPart(f"What is the weather in city {number}?")], run_id="r")
        if number % 2:
            usage = RequestUsage(input_tokens=53, output_tokens=7)
            text = TextPart("It is sunny in Oslo. " * 5)
            message = ModelResponse(parts=[text], usage=usage, model_name="model-x", run_id="r")
        made.append(ConversationEntry(id=new_id("evt"), parent_id=parent_id, message=message))
        parent_id = made[-1].id
    return made


class Growing:
    """A conversation that is saved again and again, each time with more entries."""

    def __init__(self, store: ConversationStore, count: int) -> None:
        """Save `count` entries each time."""
        self._store = store
        self._count = count
        self._record = ConversationRecord(conversation_id=f"growing by {count}", head_id=None)
        self._revision: str | None = None

    async def save(self) -> None:
        """Save the next entries."""
        new = entries(self._count, self._record.head_id)
        self._record = replace(self._record, head_id=new[-1].id, revision=new_id("evt"))
        await self._store.write_record(self._record, new_entries=new, expected_revision=self._revision)
        self._revision = self._record.revision


async def write_lines(path: Path, count: int) -> None:
    """Append messages to a file, as lines of JSON."""
    lines = [ModelMessagesTypeAdapter.dump_json([entry.message]) + b"\n" for entry in entries(count)]
    with path.open("ab") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


@asynccontextmanager
async def comparisons(directory: Path) -> AsyncIterator[list[Comparison]]:
    """Yield the workloads, on a store with 50 conversations of 20 entries and one of 500."""
    url = f"sqlite:///{directory / 'ours.db'}"
    async with asm_core.aio.open_backend("sqlmodel", url=url, migrate=True, synchronous="full") as backend:
        stores: list[ConversationStore] = [InMemoryConversationStore(), AsmConversationStore(backend)]
        filled = {str(number): entries(20) for number in range(50)} | {"whole": entries(500)}
        for store in stores:
            for name, new in filled.items():
                record = ConversationRecord(conversation_id=name, head_id=new[-1].id)
                await store.write_record(record, new_entries=new, expected_revision=None)
        head = filled["whole"][-1].id

        def read(title: str, method: str, *args: Any, calls: int, **named: Any) -> Comparison:
            both = [partial(getattr(store, method), *args, **named) for store in stores]
            return Comparison(f"{title} (memory)", *both, calls)

        def saved(count: int, calls: int) -> Comparison:
            path = directory / f"{count}.jsonl"
            ours = Growing(stores[1], count).save
            return Comparison(f"append {count} (a file)", partial(write_lines, path, count), ours, calls)

        yield [
            saved(1, 10),
            saved(100, 1),
            read("read 500", "read_history", head, calls=2),
            read("read the last 20 of 500", "read_history", head, limit=20, calls=5),
            read("read a record", "read_record", "whole", calls=20),
            read("list 51 records", "read_records", calls=3),
        ]
