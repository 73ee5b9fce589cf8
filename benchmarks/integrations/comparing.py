"""Two stores in turn: the same calls, alternately, in one run."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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
    bar: float | None = None
    """The greatest ratio; None: that of the module."""


class Times(NamedTuple):
    """Seconds for a call: on the clock, and of the processor, in all threads of the process."""

    clock: float
    processor: float


@dataclass(frozen=True)
class Row:
    """The least times of a workload in any round: other processes of the machine only add time."""

    name: str
    theirs: Times
    ours: Times
    bar: float | None

    @property
    def ratio(self) -> float:
        """The time of ours, as a multiple of theirs."""
        return self.ours.clock / self.theirs.clock

    @property
    def processor_ratio(self) -> float:
        """The processor time of ours, as a multiple of theirs."""
        return self.ours.processor / self.theirs.processor


async def compared(comparisons: AbstractAsyncContextManager[Sequence[Comparison]], rounds: int) -> list[Row]:
    """Return a row for each workload."""
    async with comparisons as found:
        return [await _compared(comparison, rounds) for comparison in found]


async def _compared(comparison: Comparison, rounds: int) -> Row:
    theirs, ours = [], []
    for number in range(rounds + 1):
        # The order alternates, and the first round warms up.
        both = [(comparison.theirs, theirs), (comparison.ours, ours)]
        for call, taken in both if number % 2 else reversed(both):
            taken.append(await _taken(call, comparison.calls))
    return Row(comparison.name, _least(theirs[1:]), _least(ours[1:]), comparison.bar)


def _least(taken: Sequence[Times]) -> Times:
    return Times(*map(min, zip(*taken, strict=True)))


async def _taken(call: Call, calls: int) -> Times:
    gc.collect()
    started, used = time.perf_counter(), time.process_time()
    for _ in range(calls):
        await call()
    return Times((time.perf_counter() - started) / calls, (time.process_time() - used) / calls)
