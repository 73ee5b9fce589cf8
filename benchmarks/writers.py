"""W3: eight threads, or eight processes, append one by one, to eight sessions or to one."""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.contender import SESSION
from benchmarks.measured import attempt, in_rounds, of_pairs
from benchmarks.places import FLOOR
from benchmarks.workloads import LONGEST_CALL, PROCESSES, THREADS, check_log, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.contender import Contender
    from benchmarks.measured import Measured
    from benchmarks.places import Place
    from benchmarks.setting import Setting

    Crew = Callable[[list["Job"]], list["Times"]]

COUNT: Final = 8
APPENDS: Final = 300
WARM_UP: Final = 10
"""Connections are opened by then, and statements prepared."""
_PATIENCE: Final = 60.0


class Times(NamedTuple):
    """When a writer began and ended, and how long each of its calls took; in seconds."""

    began: float
    ended: float
    calls: list[float]


class Round(NamedTuple):
    """The seconds from the first start to the last end, of the longest call, and of 999 calls of 1,000."""

    whole: float
    longest: float
    rare: float


class Job(NamedTuple):
    """What a writer does: this many appends to that session, after those that warm it up."""

    place: Place
    backend: str
    url: str
    session_id: str
    appends: int


def write(contender: Contender, job: Job, barrier: Any) -> Times:
    """Append, once all writers are there."""
    facts = contender.facts(range(WARM_UP + job.appends), job.session_id)
    for fact in facts[:WARM_UP]:
        contender.append(fact)
    barrier.wait(_PATIENCE)
    began = time.monotonic()  # the same clock in all processes
    calls = [seconds(contender.append, fact) for fact in facts[WARM_UP:]]
    return Times(began, time.monotonic(), calls)


@contextmanager
def threads(**options: Any) -> Iterator[Crew]:
    """Give writers that share one contender, which is opened with these options."""

    def work(jobs: list[Job]) -> list[Times]:
        barrier = threading.Barrier(len(jobs))
        pool_size = {"pool_size": len(jobs)} if jobs[0].place.database == "postgresql" else {}
        contender = jobs[0].place.contender(jobs[0].backend, jobs[0].url, **pool_size | options)
        with closing(contender), ThreadPool(len(jobs)) as pool:
            return pool.map(lambda job: write(contender, job, barrier), jobs, chunksize=1)

    yield work


@contextmanager
def processes() -> Iterator[Crew]:
    """Give writers that have a process and a contender each; the processes go on to the next jobs."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(COUNT)

    def work(jobs: list[Job]) -> list[Times]:
        barrier.reset()
        # Each waits for all others, so that none takes two jobs.
        return pool.map(_work_alone, jobs, chunksize=1)

    with context.Pool(COUNT, _remember, (barrier,)) as pool:
        yield work


def _remember(barrier: Any) -> None:
    globals()["_barrier"] = barrier


def _work_alone(job: Job) -> Times:
    with closing(job.place.contender(job.backend, job.url)) as contender:
        return write(contender, job, globals()["_barrier"])


@dataclass(frozen=True)
class Writers:
    """Writers of a kind, ``threads`` or ``processes``, that append to so many sessions."""

    kind: str
    sessions: int

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"W3 {COUNT} {self.kind} append to {self.sessions} session{'s' * (self.sessions > 1)}"

    def measure(self, setting: Setting) -> Iterator[Measured]:
        """Yield the times of each backend."""
        with {"threads": threads, "processes": processes}[self.kind]() as crew:
            for place in setting.places.values():
                database = place.title(is_writing=True)
                for backend in setting.backends:
                    yield from attempt(
                        self.name, database, backend, self._compare, crew, place, backend, setting.rounds
                    )

    def _compare(self, crew: Crew, place: Place, backend: str, rounds: int) -> list[Measured]:
        def take() -> list[Round]:
            return [self._round(crew, place, name) for name in (FLOOR, backend)]

        return in_rounds(take, rounds, partial(self._measured, place, backend))

    def _measured(self, place: Place, backend: str, taken: list[list[Round]]) -> list[Measured]:
        described = partial(of_pairs, database=place.title(is_writing=True), backend=backend)
        pairs = {part: [(floor[at], ours[at]) for floor, ours in taken] for at, part in enumerate(Round._fields)}
        bar = PROCESSES.get(backend)
        if self.kind == "threads":
            bar = THREADS[place.database, place.durable].get(self.sessions)
        found = described(pairs["whole"], workload=self.name, bar=bar)
        if self.kind == "threads":
            found += described(pairs["longest"], workload=f"{self.name}: longest call", bar=LONGEST_CALL)
            found += described(pairs["rare"], workload=f"{self.name}: 99.9 of 100 calls", bar=LONGEST_CALL)
        return found

    def _round(self, crew: Crew, place: Place, backend: str) -> Round:
        session_ids = [SESSION, *(f"{SESSION}_{number}" for number in range(1, self.sessions))]
        url = place.new_url(session_ids)
        jobs = [Job(place, backend, url, session_ids[number % self.sessions], APPENDS) for number in range(COUNT)]
        times = crew(jobs)
        with closing(place.contender(backend, url)) as contender:
            for session_id in session_ids:
                check_log(contender, COUNT // self.sessions * (WARM_UP + APPENDS), session_id)
        whole = max(each.ended for each in times) - min(each.began for each in times)
        calls = sorted(call for each in times for call in each.calls)
        return Round(whole, calls[-1], calls[-1 - len(calls) // 1000])
