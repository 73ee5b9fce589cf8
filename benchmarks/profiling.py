"""The profile of a workload."""

from __future__ import annotations

import cProfile
import pstats
import sysconfig
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table

from benchmarks.racing import seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Place
    from benchmarks.setting import Setting
    from benchmarks.workloads import Workload

TOP: Final = 20
_ROOT: Final = Path(__file__).parents[1]
_PREFIXES: Final = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(_ROOT))


def profiles(workloads: list[Workload], setting: Setting) -> Iterator[Table]:
    """Yield a table for each workload, database and backend: the functions that took most, by own time."""
    for workload in workloads:
        for (_, durable), place in setting.places.items():
            if durable:  # what waits for the disk says nothing of what is done
                continue
            shared = seeded(workload, place)
            for backend in setting.backends:
                yield _profile(workload, place, backend, shared or place.new_url())


def _profile(workload: Workload, place: Place, backend: str, url: str) -> Table:
    profile = cProfile.Profile()
    with closing(place.contender(backend, url)) as contender:
        profile.runcall(lambda: sum(workload.steps(contender)))
    stats = pstats.Stats(profile)
    table = Table(
        "calls", "own, ms", "with callees, ms", "function", title=f"{workload.name}, {place.database}, {backend}"
    )
    functions = sorted(stats.stats.items(), key=lambda each: -each[1][2])  # type: ignore[attr-defined]
    for (file, line, name), (_, calls, own, whole, _) in functions[:TOP]:
        table.add_row(f"{calls:,}", f"{own * 1000:.1f}", f"{whole * 1000:.1f}", f"{shortened(file)}:{line} {name}")
    return table


def shortened(file: str) -> str:
    """Return a path without what all paths have in common."""
    for prefix in _PREFIXES:
        file = file.removeprefix(f"{prefix}/")
    return file
