"""All that is measured, in the order of the table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import following, layouts, starting, tasks, writers
from benchmarks.racing import race
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measured import Measured
    from benchmarks.setting import Setting
    from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Part:
    """Something that is measured by itself."""

    name: str
    measure: Callable[[Setting], Iterator[Measured]]


def chosen(names: list[str] | None) -> list[Part]:
    """Return the parts whose names begin with one of these, in whole words; all, if there are none."""
    if names is None:
        return list(_parts())
    begins = re.compile(rf"(?:{'|'.join(map(re.escape, names))})(?!\w)")
    return [part for part in _parts() if begins.match(part.name)]


def _parts() -> Iterator[Part]:
    before, after = WORKLOADS[:2], WORKLOADS[2:]
    for workload in before:
        yield Part(workload.name, partial(_race, workload))
    for kind in ("threads", "processes"):
        for sessions in (writers.COUNT, 1):
            found = writers.Writers(kind, sessions)
            yield Part(found.name, found.measure)
    for workload in after:
        yield Part(workload.name, partial(_race, workload))
    yield Part(following.SOON, following.within_a_second)
    yield Part(following.IN_PROCESS, following.in_the_same_process)
    yield Part(following.SILENCE, following.after_silence)
    yield Part(starting.IMPORT_NAME, starting.imports)
    yield Part(starting.HELP_NAME, starting.helped)
    yield Part(starting.LISTED_NAME, starting.listed)
    yield Part(starting.RECORDED_NAME, starting.recorded_lines)
    for sessions in (tasks.COUNT, 1):
        yield Part(tasks.name_of(sessions), partial(tasks.measure, sessions=sessions))
    for name in layouts.names():
        yield Part(name, partial(layouts.measure, name=name))


def _race(workload: Workload, setting: Setting) -> Iterator[Measured]:
    for (_, durable), place in setting.places.items():
        if durable in workload.bars:
            yield from race(workload, place, setting.backends, setting.rounds)
