"""Two stores in turn: the same calls, alternately, in one run."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    Call = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Comparison:
    """A workload: one call on the framework's store, and the same on ours."""

    name: str
    theirs: Call
    ours: Call
    calls: int = 1
    """The number of calls in a round."""


@dataclass(frozen=True)
class Row:
    """The fastest rounds of a workload, in seconds for a call: other processes of the machine only add time."""

    name: str
    theirs: float
    ours: float

    @property
    def ratio(self) -> float:
        """What ours took, as a multiple of theirs."""
        return self.ours / self.theirs


async def compared(comparisons: AbstractAsyncContextManager[Sequence[Comparison]], rounds: int) -> list[Row]:
    """Return a row for each workload."""
    async with comparisons as found:
        return [await _compared(comparison, rounds) for comparison in found]


async def _compared(comparison: Comparison, rounds: int) -> Row:
    pairs = []
    for number in range(rounds + 1):
        # The order alternates, and the first round warms up.
        both = [comparison.theirs, comparison.ours]
        times = {call: await _taken(call, comparison.calls) for call in (both if number % 2 else reversed(both))}
        pairs.append((times[comparison.theirs], times[comparison.ours]))
    theirs, ours = zip(*pairs[1:], strict=True)
    return Row(comparison.name, min(theirs), min(ours))


async def _taken(call: Call, calls: int) -> float:
    gc.collect()
    started = time.perf_counter()
    for _ in range(calls):
        await call()
    return (time.perf_counter() - started) / calls
