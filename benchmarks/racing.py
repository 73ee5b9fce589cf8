"""Floor and backend in turn: the same steps, alternately, in one run."""

from __future__ import annotations

import gc
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from benchmarks.contender import Port
from benchmarks.measured import attempt, in_rounds, of_pairs
from benchmarks.places import FLOOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.contender import Contender
    from benchmarks.measured import Measured
    from benchmarks.places import Place
    from benchmarks.workloads import Workload


def race(workload: Workload, place: Place, backends: tuple[str, ...], rounds: int) -> Iterator[Measured]:
    """Yield what each backend took, as soon as all its rounds are over."""
    shared = seeded(workload, place)
    database = place.title(is_writing=workload.seed is None)
    for backend in backends:
        yield from attempt(workload.name, database, backend, _compare, workload, place, backend, shared, rounds)


def _compare(workload: Workload, place: Place, backend: str, shared: str | None, rounds: int) -> list[Measured]:
    compared = partial(
        of_pairs,
        workload=workload.name,
        database=place.title(is_writing=workload.seed is None),
        backend=backend,
        bar=workload.bars[place.durable].get(backend),
    )
    return in_rounds(partial(_round, workload, place, backend, shared), rounds, compared)


def seeded(workload: Workload, place: Place) -> str | None:
    """Return the URL of the database that all read; None if each writes into its own."""
    if workload.seed is None:
        return None
    url = place.new_url()
    port = Port("sqlmodel", url)
    workload.seed(port)
    port.close()
    place.settle(url)
    return url


def _round(workload: Workload, place: Place, backend: str, shared: str | None) -> tuple[float, float]:
    with ExitStack() as stack:
        urls = [shared or place.new_url() for _ in range(2)]
        both = [
            stack.enter_context(closing(place.contender(name, url)))
            for name, url in zip((FLOOR, backend), urls, strict=True)
        ]
        if shared is None:  # what all read was settled when it was filled
            for url in urls:
                place.settle(url)
        # What the process keeps anyway, three ORMs among it, is no part of what collecting a step's garbage costs.
        gc.collect()
        gc.freeze()
        times = in_turn(workload.steps, both, workload.in_turn)
    gc.unfreeze()
    floor, ours = (workload.of_steps(steps) for steps in times)
    return floor, ours


def in_turn(steps: Callable[[Contender], Iterator[float]], contenders: list[Contender], size: int) -> list[list[float]]:
    """Let contenders take their steps in turn, `size` at a time; return the seconds of each one's."""
    running = [steps(contender) for contender in contenders]
    times: list[list[float]] = [[] for _ in contenders]
    while running:
        before = len(times[-1])
        for taken, going in zip(times, running, strict=True):
            taken.extend(islice(going, size))
        if len(times[-1]) == before:
            break
    return times
