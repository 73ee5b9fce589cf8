"""Floor and backend in turn: the same steps, alternately, in one run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from benchmarks.contender import Port
from benchmarks.places import FLOOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.contender import Contender
    from benchmarks.places import Place
    from benchmarks.workloads import Workload


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one workload showed of one backend.

    Attributes:
        workload: its name.
        database: ``sqlite`` or ``postgresql``, and whether commits wait for the disk.
        backend: its name.
        pairs: the seconds of the floor and those of the backend, for each round.
        bar: the most that the backend may take, in times of the floor; None: there is none.
    """

    workload: str
    database: str
    backend: str
    pairs: list[tuple[float, float]]
    bar: float | None


def race(workload: Workload, place: Place, backends: tuple[str, ...], rounds: int) -> Iterator[Measured]:
    """Yield what each backend took, as soon as all its rounds are over."""
    shared = seeded(workload, place)
    for backend in backends:
        pairs = [_round(workload, place, backend, shared) for _ in range(rounds)]
        yield Measured(
            workload=workload.name,
            database=title(place, workload.seed is None),
            backend=backend,
            pairs=pairs,
            bar=workload.bars.get(backend),
        )


def title(place: Place, is_writing: bool) -> str:  # noqa: FBT001  one of two words
    """Return what a place is called in the table."""
    return f"{place.database}, durable" if is_writing and place.durable else place.database


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
    both = [place.contender(name, shared or place.new_url()) for name in (FLOOR, backend)]
    try:
        times = in_turn(workload.steps, both, workload.in_turn)
    finally:
        for contender in both:
            contender.close()
    floor, ours = (workload.of_steps(steps) for steps in times)
    return floor, ours


def in_turn(
    steps: Callable[[Contender], Iterator[float]], contenders: list[Contender], size: int
) -> list[list[float]]:
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
