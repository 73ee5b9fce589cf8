"""How many writers a store takes, threads or tasks, and what its options change."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from benchmarks.contender import SESSION, Port
from benchmarks.growth.points import Ground, Point
from benchmarks.tasks import append_together
from benchmarks.workloads import seconds
from benchmarks.writers import Job, threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Place

WRITERS: Final = (1, 2, 4, 8, 16)
TASKS: Final = (1, 4, 16, 64, 256)
APPENDS: Final = 800
REPEATS: Final = 3
POOLS: Final = (1, 2, 5, 16)
CHECKPOINTS: Final = (100, 1_000, 10_000)
CHECKED: Final = 4_000
"""Appends that make the write-ahead log grow to 10,000 pages once or twice."""


def by_writers(ground: Ground, backend: str) -> Iterator[Point]:
    """Append in ever more threads."""
    for size in WRITERS:
        for panel, sessions in (("appends a second, a session each", size), ("appends a second, to one session", 1)):
            y = appends_a_second(ground.quick, backend, size, sessions)
            yield Point("writers", panel, "threads", size, y)


def by_tasks(ground: Ground, backend: str) -> Iterator[Point]:
    """Append in ever more tasks of an event loop; commits wait for the disk."""
    for size in TASKS:
        for panel, sessions in (("appends a second, a session each", size), ("appends a second, to one session", 1)):
            y = task_appends_a_second(ground.durable, backend, size, sessions)
            yield Point("tasks", f"{panel}, durable", "tasks", size, y)


def by_option(ground: Ground, backend: str) -> Iterator[Point]:
    """Measure the effect of each option."""
    yield from (_on_sqlite if ground.database == "sqlite" else _on_postgresql)(ground, backend)


def _on_sqlite(ground: Ground, backend: str) -> Iterator[Point]:
    for value in ("full", "normal"):
        mean, _ = _appends(ground.quick, backend, 300, synchronous=value)
        yield Point("options", "append one event, ms", "synchronous", value, mean)
    for pages in CHECKPOINTS:
        mean, longest = _appends(ground.quick, backend, CHECKED, synchronous="normal", wal_autocheckpoint=pages)
        yield Point("options", "mean append, ms", "wal_autocheckpoint", f"{pages:,}", mean)
        yield Point("options", "longest append, ms", "wal_autocheckpoint", f"{pages:,}", longest)


def _on_postgresql(ground: Ground, backend: str) -> Iterator[Point]:
    for value, place in (("on", ground.durable), ("off", ground.quick)):
        mean, _ = _appends(place, backend, 300)
        yield Point("options", "append one event, ms", "synchronous_commit", value, mean)
    for panel, place in (("appends a second", ground.quick), ("appends a second, durable", ground.durable)):
        for size in POOLS:
            y = appends_a_second(place, backend, 16, 16, pool_size=size)
            yield Point("options", panel, "pool_size, 16 threads", f"{size}", y)


def appends_a_second(place: Place, backend: str, writers: int, sessions: int, **options: Any) -> float:
    """Return how many events threads append in a second."""
    session_ids = [f"{SESSION}_{number}" for number in range(sessions)]
    each = APPENDS // writers
    figures = []
    for _ in range(REPEATS):
        url = place.new_url(session_ids)
        jobs = [Job(place, backend, url, session_ids[number % sessions], each) for number in range(writers)]
        with threads(**options) as crew:
            times = crew(jobs)
        whole = max(time.ended for time in times) - min(time.began for time in times)
        figures.append(writers * each / whole)
    return statistics.median(figures)


def task_appends_a_second(place: Place, backend: str, tasks: int, sessions: int) -> float:
    """Return how many events the tasks of an event loop append in a second."""
    session_ids = [f"{SESSION}_{number}" for number in range(sessions)]
    each = max(2, APPENDS // tasks)
    figures = []
    for _ in range(REPEATS):
        with closing(place.contender(backend, place.new_url(session_ids))) as port:
            assert isinstance(port, Port)
            appended = [port.facts(range(each), session_ids[number % sessions]) for number in range(tasks)]
            figures.append(tasks * each / asyncio.run(append_together(port.backend, appended)))
    return statistics.median(figures)


def _appends(place: Place, backend: str, count: int, **options: Any) -> tuple[float, float]:
    """Return the mean and the maximum time of an append in milliseconds."""
    rounds = []
    for _ in range(REPEATS):
        with closing(place.contender(backend, place.new_url(), **options)) as contender:
            warm, *facts = contender.facts(range(count + 1))
            contender.append(warm)
            rounds.append([1000 * seconds(contender.append, fact) for fact in facts])
    means, longest = map(statistics.fmean, rounds), map(max, rounds)
    return statistics.median(means), statistics.median(longest)
