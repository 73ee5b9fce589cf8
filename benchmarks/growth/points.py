"""What growth and options are drawn from: points, and how one is measured."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.workloads import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.places import Place

LEAST: Final = 5
MOST: Final = 200
BUDGET: Final = 0.4


class Point(NamedTuple):
    """A point of a curve.

    Attributes:
        picture: the name of the picture's file, without its suffix.
        panel: what is measured, with its unit.
        along: what x is.
        x: how much of it; or the value of an option, as text.
        y: the figure.
    """

    picture: str
    panel: str
    along: str
    x: float | str
    y: float


class Ground(NamedTuple):
    """A kind of database, with commits that do not wait for the disk, and with those that do."""

    quick: Place
    durable: Place

    @property
    def database(self) -> str:
        """Its name."""
        return self.quick.database


def milliseconds(call: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> float:
    """Return the median of a call's milliseconds: as many calls as there is time for, or arguments."""
    taken: list[float] = []
    ends = time.monotonic() + BUDGET
    for each in arguments:
        taken.append(seconds(call, *each))
        if len(taken) >= MOST or (len(taken) >= LEAST and time.monotonic() > ends):
            break
    return 1000 * statistics.median(taken)
