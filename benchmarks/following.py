"""W7: the latency of followers, and the cost of waiting."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.contender import SESSION, Port
from benchmarks.measured import Measured, attempt
from benchmarks.workloads import IDLE, SEEN_AFTER_SILENCE, SEEN_IN_PROCESS, SEEN_SOON, SEEN_WITH_NOTIFY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from benchmarks.places import Place
    from benchmarks.setting import Setting

SOON: Final = "W7 event of another process, within a second of the last"
SILENCE: Final = "W7 event of another process, after a minute of silence"
IN_PROCESS: Final = "W7 event of the same process"
IDLING: Final = "W7 CPU of an idle waiter, after a minute of silence"
EVENTS: Final = 30
MINUTE: Final = 60.0
LOOKED_AT: Final = 10.0
FOLLOWERS: Final = 9
_LONGEST: Final = 30.0
Moments = list[tuple[str, float]]
"""Sessions to append to, and how long to wait before."""


def within_a_second(setting: Setting) -> Iterator[Measured]:
    """Yield the latency of events of another process, appended about every half second."""
    for place in _places(setting):
        choices: list[dict[str, Any]] = [{}, {"notify": True}] if place.database == "postgresql" else [{}]
        for backend in setting.backends:
            for options in choices:
                title = f"{backend}, notify" if options else backend
                yield from attempt(SOON, place.database, title, _soon, place, backend, title, options)


def _soon(place: Place, backend: str, title: str, options: dict[str, Any]) -> list[Measured]:
    bar = SEEN_WITH_NOTIFY if options else SEEN_SOON[place.database]
    return _row(SOON, place, title, _seen_soon(place, backend, options), bar=bar)


def _seen_soon(place: Place, backend: str, options: dict[str, Any]) -> list[float]:
    url = place.new_url()
    moments = [(SESSION, random.uniform(0.05, 0.9)) for _ in range(EVENTS)]  # noqa: S311
    with closing(Port(backend, url, **options)) as port, ThreadPoolExecutor(1) as pool, _another() as other:
        seen = pool.submit(follow, port, SESSION, EVENTS)
        committed = other.submit(commit, backend, url, options, moments).result()
        return _latencies(committed, seen.result())


def in_the_same_process(setting: Setting) -> Iterator[Measured]:
    """Yield the latency of a follower in another thread."""
    for place in _places(setting):
        for backend in setting.backends:
            yield from attempt(IN_PROCESS, place.database, backend, _in_process, place, backend)


def _in_process(place: Place, backend: str) -> list[Measured]:
    with closing(Port(backend, place.new_url())) as port, ThreadPoolExecutor(1) as pool:
        seen = pool.submit(follow, port, SESSION, EVENTS)
        committed = append_at(port, [(SESSION, 0.05)] * EVENTS)
        return _row(IN_PROCESS, place, backend, _latencies(committed, seen.result()), bar=SEEN_IN_PROCESS)


class _Quiet(NamedTuple):
    """The waiter of one backend on one database, during the minute of silence."""

    place: Place
    backend: str
    url: str
    sessions: list[str]
    seen: list[Future[dict[str, float]]]
    idle: Future[float]


def after_silence(setting: Setting) -> Iterator[Measured]:
    """Yield the latency after a minute of silence, and the cost of waiting; all measured in the same minute."""
    pairs = [(place, backend) for place in _places(setting) for backend in setting.backends]
    with ExitStack() as stack:
        minute = _Minute(stack, len(pairs))
        other = stack.enter_context(_another())
        for place, backend in pairs:
            yield from attempt(SILENCE, place.database, backend, minute.start, place, backend)
        time.sleep(MINUTE)
        for quiet in minute.waiting:
            yield from attempt(SILENCE, quiet.place.database, quiet.backend, _seen_late, quiet, other)
        for quiet in minute.waiting:
            yield from attempt(IDLING, quiet.place.database, quiet.backend, _idled, quiet)


class _Minute:
    """The common minute of silence."""

    def __init__(self, stack: ExitStack, count: int) -> None:
        """Have room for so many backends."""
        self.waiting: list[_Quiet] = []
        self._stack = stack
        self._followers = stack.enter_context(ThreadPoolExecutor(FOLLOWERS * count))
        self._idlers = stack.enter_context(_another(count))

    def start(self, place: Place, backend: str) -> list[Measured]:
        """Let followers with a backend object each wait for a session each, and a process with one for another."""
        sessions = [f"{SESSION}_{number}" for number in range(FOLLOWERS)]
        url = place.new_url(sessions)
        seen = []
        for session in sessions:
            port = self._stack.enter_context(closing(Port(backend, url)))
            timeout = MINUTE + LOOKED_AT + _LONGEST
            seen.append(self._followers.submit(follow, port, session, 1, idle_timeout=timeout))
        # A database of its own: what the followers are waiting for would wake it.
        idle = self._idlers.submit(cost_of_waiting, backend, place.new_url(), MINUTE, LOOKED_AT)
        self.waiting.append(_Quiet(place, backend, url, sessions, seen, idle))
        return []


def _seen_late(quiet: _Quiet, other: ProcessPoolExecutor) -> list[Measured]:
    moments = [(session, random.uniform(0.05, 0.15)) for session in quiet.sessions]  # noqa: S311
    committed = other.submit(commit, quiet.backend, quiet.url, {}, moments).result()
    seen = {id_: at for future in quiet.seen for id_, at in future.result().items()}
    return _row(SILENCE, quiet.place, quiet.backend, _latencies(committed, seen), bar=SEEN_AFTER_SILENCE)


def _idled(quiet: _Quiet) -> list[Measured]:
    return _row(IDLING, quiet.place, quiet.backend, [quiet.idle.result()], bar=IDLE, unit="%")


def follow(port: Port, session_id: str, count: int, *, idle_timeout: float = _LONGEST) -> dict[str, float]:
    """Follow a log until `count` events were seen; return the times, by event id."""
    seen: dict[str, float] = {}
    for event in port.store.follow_events(session_id, idle_timeout=idle_timeout):
        seen[event.id] = time.monotonic()
        if len(seen) == count:
            break
    return seen


def commit(backend: str, url: str, options: dict[str, Any], moments: Moments) -> dict[str, float]:
    """Append events from a process of its own; return when each was committed, by its id."""
    with closing(Port(backend, url, **options)) as port:
        return append_at(port, moments)


def append_at(port: Port, moments: Moments) -> dict[str, float]:
    """Append an event after each pause; return when each was committed, by its id."""
    committed = {}
    for session_id, pause in moments:
        (event,) = port.facts([1], session_id)
        time.sleep(pause)
        port.append(event)
        committed[event.id] = time.monotonic()  # the same clock in all processes
    return committed


def cost_of_waiting(backend: str, url: str, silence: float, looked_at: float) -> float:
    """Return the per cent of a core that this process takes while one follower waits, after a silence."""
    port = Port(backend, url)
    threading.Thread(target=follow, args=(port, SESSION, 1), kwargs={"idle_timeout": None}, daemon=True).start()
    time.sleep(silence)
    cpu, wall = time.process_time(), time.monotonic()
    time.sleep(looked_at)
    return 100 * (time.process_time() - cpu) / (time.monotonic() - wall)


def _another(count: int = 1) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _places(setting: Setting) -> list[Place]:
    return [place for (_, durable), place in setting.places.items() if not durable]


def _latencies(committed: dict[str, float], seen: dict[str, float]) -> list[float]:
    assert committed.keys() == seen.keys(), "an event was missed"
    # A follower may have it before the call that committed it has returned.
    return [1000 * max(0.0, seen[id_] - at) for id_, at in committed.items()]


def _row(
    name: str, place: Place, backend: str, figures: list[float], *, bar: float, unit: str = "ms"
) -> list[Measured]:
    return [Measured(workload=name, database=place.database, backend=backend, figures=figures, unit=unit, bar=bar)]
