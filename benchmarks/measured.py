"""One line of the result: the figures of a workload for a backend on a database."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

TIMES = "x"
"""The unit of a ratio."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one workload showed of one backend.

    Attributes:
        workload: its name.
        database: ``sqlite`` or ``postgresql``, and whether commits wait for the disk.
        backend: its name.
        floor: the median of what the floor took, in seconds; None: there is no floor.
        figures: one for each round, or each event; in `unit`.
        unit: ``x``, times the floor; or ``ms``, or ``%``.
        bar: the most that the median may be; None: there is no bar.
        failure: why there are no figures.
    """

    workload: str
    database: str
    backend: str
    floor: float | None = None
    figures: Sequence[float] = ()
    unit: str = TIMES
    bar: float | None = None
    failure: str | None = None

    @property
    def median(self) -> float:
        """The median of the figures."""
        return statistics.median(self.figures)

    @property
    def is_within(self) -> bool:
        """Whether there are figures, and the bar is kept."""
        return self.failure is None and (self.bar is None or self.median <= self.bar)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's shapes."""
        found = {**asdict(self), "within": self.is_within}
        if self.failure is None:
            found |= {"median": self.median, "from": min(self.figures), "to": max(self.figures)}
        return found


def of_pairs(
    pairs: Sequence[tuple[float, float]], *, workload: str, database: str, backend: str, bar: float | None
) -> list[Measured]:
    """Return what came of the seconds of the floor and those of the backend, a pair for each round."""
    return [
        Measured(
            workload=workload,
            database=database,
            backend=backend,
            floor=statistics.median(floor for floor, _ in pairs),
            figures=[ours / floor for floor, ours in pairs],
            bar=bar,
        )
    ]


def in_rounds(take: Callable[[], T], rounds: int, result: Callable[[list[T]], list[Measured]]) -> list[Measured]:
    """Return the result of so many rounds; where it misses a bar, of as many more, twice at most.

    All of them count: what a busy moment of the machine decided is decided again on a broader base.
    """
    taken: list[T] = []
    found: list[Measured] = []
    for _ in range(_ATTEMPTS):
        taken += [take() for _ in range(rounds)]
        found = result(taken)
        if all(each.is_within for each in found):
            break
    return found


def attempt(
    workload: str, database: str, backend: str, measure: Callable[..., list[Measured]], *arguments: Any
) -> Iterator[Measured]:
    """Yield the results of `measure`; a failing backend gets a line with the error."""
    try:
        found = measure(*arguments)
    except Exception as error:  # noqa: BLE001  the others are still measured
        failure = f"{type(error).__name__}: {error}"
        yield Measured(workload=workload, database=database, backend=backend, failure=failure)
    else:
        yield from found
