"""`langgraph-checkpoint-asm` against LangGraph's `SqliteSaver` and `SqliteStore`.

Theirs commit to a file in WAL mode and wait for the disk; so do ours. Both are called from one thread, without an event
loop, because the asynchronous forms of both add a thread to the same work.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.store.sqlite import SqliteStore

import asm_core
from benchmarks.integrations.comparing import Comparison
from langgraph_checkpoint_asm import AsmSaver, AsmStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from langgraph.checkpoint.base import BaseCheckpointSaver

BAR: Final = 1.5
MESSAGES: Final = [
    (HumanMessage if at % 2 else AIMessage)(f"message {at}, how are you? " * 5, id=f"m{at}") for at in range(80)
]


def config_of(thread: str, checkpoint_id: str | None = None) -> Any:
    """Return the configuration of a checkpoint."""
    named = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", **named}}


def put(saver: BaseCheckpointSaver[Any], thread: str, values: dict[str, Any]) -> Any:
    """Store a checkpoint of these values."""
    checkpoint: Any = {**empty_checkpoint(), "id": str(uuid6()), "channel_values": values}
    return saver.put(config_of(thread), checkpoint, {"source": "loop", "step": 1, "parents": {}}, {})


def put_messages(saver: BaseCheckpointSaver[Any], numbers: count[int]) -> Any:
    """Store a checkpoint of 80 messages, one of which no checkpoint before it has."""
    new = HumanMessage("a new message, how are you? " * 5, id=f"new{next(numbers)}")
    return put(saver, "long", {"messages": [*MESSAGES[:79], new]})


def put_writes(saver: BaseCheckpointSaver[Any], numbers: count[int], config: Any) -> None:
    """Store what one more task wrote."""
    saver.put_writes(config, [("n", 1), ("other", 2)], f"task {next(numbers)}")


@asynccontextmanager
async def comparisons(directory: Path) -> AsyncIterator[list[Comparison]]:
    """Yield the workloads, on threads with 100 checkpoints and a namespace with 100 items."""
    url = f"sqlite:///{directory / 'ours.db'}"
    with (
        SqliteSaver.from_conn_string(str(directory / "theirs.db")) as their_saver,
        SqliteStore.from_conn_string(str(directory / "their items.db")) as their_store,
        asm_core.open_backend("sqlmodel", url=url, migrate=True, synchronous="full") as backend,
    ):
        their_saver.setup()
        their_store.conn.execute("PRAGMA journal_mode=WAL")
        their_store.setup()
        pairs = ((their_saver, their_store), (AsmSaver(backend), AsmStore(backend)))
        numbers = [count(), count()]
        written = [put(saver, "written", {"n": 0}) for saver, _ in pairs]
        for each, (saver, store) in enumerate(pairs):
            for number in range(100):
                put(saver, "small", {"n": number})
                put_messages(saver, numbers[each])
                store.put(("items",), str(number), {"text": "something to remember " * 5, "kind": number % 4})

        def row(title: str, call: Callable[[int, Any, Any], Any], calls: int) -> Comparison:
            return Comparison(title, *(partial(_called, call, each, *pair) for each, pair in enumerate(pairs)), calls)

        yield [
            row("put, a small state", lambda _, saver, __: put(saver, "small", {"n": 1}), 20),
            row("put, 80 messages", lambda each, saver, _: put_messages(saver, numbers[each]), 10),
            row("put_writes", lambda each, saver, _: put_writes(saver, numbers[each], written[each]), 20),
            row("latest, a small state", lambda _, saver, __: saver.get_tuple(config_of("small")), 50),
            row("latest, 80 messages", lambda _, saver, __: saver.get_tuple(config_of("long")), 20),
            row("list 20 of 80 messages", lambda _, saver, __: list(saver.list(config_of("long"), limit=20)), 3),
            row(
                "store: put", lambda _, __, store: store.put(("items",), "1", {"text": "something else", "kind": 1}), 20
            ),
            row("store: get", lambda _, __, store: store.get(("items",), "7"), 50),
            row("store: search 100, 10 found", lambda _, __, store: store.search(("items",), filter={"kind": 3}), 5),
        ]


async def _called(call: Callable[[int, Any, Any], Any], each: int, saver: Any, store: Any) -> None:
    call(each, saver, store)
