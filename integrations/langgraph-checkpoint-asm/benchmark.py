"""Compare the saver with LangGraph's own on SQLite, both with durable commits: ``python benchmark.py``."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite import SqliteSaver

from langgraph_checkpoint_asm import AsmSaver

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.checkpoint.base import BaseCheckpointSaver

ROUNDS = 5
CALLS = 40
MESSAGES = [
    (HumanMessage if at % 2 else AIMessage)(f"message {at}, how are you? " * 5, id=f"m{at}") for at in range(99)
]


def config_of(thread: str, checkpoint_id: str | None = None) -> Any:
    """Return the configuration of a checkpoint."""
    named = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", **named}}


def put(saver: BaseCheckpointSaver[Any], thread: str, values: dict[str, Any]) -> Any:
    """Store a checkpoint of these values."""
    checkpoint: Any = {**empty_checkpoint(), "id": str(uuid6()), "channel_values": values}
    return saver.put(config_of(thread), checkpoint, {"source": "loop", "step": 1, "parents": {}}, {})


def workloads(saver: BaseCheckpointSaver[Any], mark: str) -> dict[str, Callable[[int], Any]]:
    """Return the calls to measure, in an order in which each finds what it needs."""
    small, long = f"{mark}small", f"{mark}long"
    last = put(saver, small, {"n": 0})
    return {
        "put a small state": lambda at: put(saver, small, {"n": at}),
        "put 40 to 80 messages, one of them new": lambda at: put(saver, long, {"messages": MESSAGES[: 40 + at]}),
        "put_writes": lambda at: saver.put_writes(last, [("n", at), ("other", at)], f"task {at}"),
        "latest, a small state": lambda _: saver.get_tuple(config_of(small)),
        "latest, 80 messages": lambda _: saver.get_tuple(config_of(long)),
        "list 20, 80 messages each": lambda _: list(saver.list(config_of(long), limit=20)),
    }


def median_of(call: Callable[[int], Any]) -> float:
    """Return the median of calls, in milliseconds."""
    taken = []
    for at in range(CALLS):
        begin = time.perf_counter()
        call(at)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1000


def main() -> None:
    """Measure both alternately, and print the median of the rounds."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    with (
        tempfile.TemporaryDirectory() as room,
        SqliteSaver.from_conn_string(f"{room}/theirs.db") as theirs,
        AsmSaver.open(f"sqlite:///{room}/ours.db", backend="sqlmodel") as ours,
    ):
        for number in range(ROUNDS):
            pairs = [workloads(saver, str(number)) for saver in (theirs, ours)]
            for name in pairs[0]:
                for results, calls in zip(found.setdefault(name, ([], [])), pairs, strict=True):
                    results.append(median_of(calls[name]))
    for name, (before, after) in found.items():
        one, other = statistics.median(before), statistics.median(after)
        sys.stdout.write(f"{name:40} {one:8.2f} ms {other:8.2f} ms {other / one:6.2f}\n")


if __name__ == "__main__":
    main()
