"""The workloads. Each yields the seconds of its steps, and checks the result."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.models import TOKEN_COUNTS
from benchmarks.contender import PAGE, SESSION, new_run, new_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.contender import Contender, Port

SINGLE: Final = 600
EVENTS: Final = 10_000
BATCH: Final = 500
MIDDLE: Final = 5_000
TAKEN: Final = 100
SESSIONS: Final = 5_000
MANY: Final = 200_000
PAGES: Final = 20
RUNS: Final = 50_000


@dataclass(frozen=True)
class Workload:
    """One thing that is measured.

    Attributes:
        name: what the design calls it, and what it is.
        steps: does it, and yields the seconds of each step.
        bars: the most that a backend may take, in times of the floor: where commits wait for the disk (True), and where
            they do not (False).
        of_steps: what of its steps is compared.
        in_turn: how many steps floor and backend do before it is the other's turn.
        seed: fills the database that all read; None: each writes into its own.
    """

    name: str
    steps: Callable[[Contender], Iterator[float]]
    bars: dict[bool, dict[str, float]]
    of_steps: Callable[[Sequence[float]], float] = statistics.median
    in_turn: int = 1
    seed: Callable[[Port], None] | None = field(default=None)


def seconds(call: Callable[..., Any], *arguments: Any) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    found = call(*arguments)
    taken = time.perf_counter() - started
    del found  # what it takes to let go of the answer is not counted
    return taken


def single_appends(contender: Contender) -> Iterator[float]:
    """Append events one by one."""
    for fact in contender.facts(range(SINGLE)):
        yield seconds(contender.append, fact)
    check_log(contender, SINGLE)


def batches(contender: Contender) -> Iterator[float]:
    """Append 10,000 events in batches of 500; one more comes first, and is not counted, as it connects."""
    contender.append_many(contender.facts(range(BATCH)))
    for start in range(BATCH, BATCH + EVENTS, BATCH):
        facts = contender.facts(range(start, start + BATCH))
        yield seconds(contender.append_many, facts)
    check_log(contender, BATCH + EVENTS)


def whole_log(contender: Contender) -> Iterator[float]:
    """Read the 10,000 events of a session."""
    for _ in range(8):
        yield seconds(contender.read)
    check_log(contender, EVENTS)


def part_of_log(contender: Contender) -> Iterator[float]:
    """Read the 100 events after number 5,000."""
    for _ in range(200):
        yield seconds(contender.read_after, MIDDLE, TAKEN)
    found = contender.read_after(MIDDLE, TAKEN)
    assert [event.sequence_number for event in found] == list(range(MIDDLE + 1, MIDDLE + TAKEN + 1))


def last_of_log(contender: Contender) -> Iterator[float]:
    """Read the last 100 events of a session, from the last on."""
    for _ in range(200):
        yield seconds(contender.read_last, TAKEN)
    found = contender.read_last(TAKEN)
    assert [event.sequence_number for event in found] == list(range(EVENTS, EVENTS - TAKEN, -1))


def page_of(contender: Contender, *, number: int, sessions: int) -> Iterator[float]:
    """List one page of so many sessions."""
    place = None
    for _ in range(number - 1):
        *_, place = contender.page(place)
    for _ in range(60):
        yield seconds(contender.page, place)
    check_page(contender.page(place), number, sessions)


def totals(contender: Contender) -> Iterator[float]:
    """Add up the tokens of 50,000 runs by provider."""
    for _ in range(15):
        yield seconds(contender.usage)
    found = contender.usage().values()
    runs = [new_run(number, SESSIONS) for number in range(RUNS)]
    assert sum(count for count, *_ in found) == RUNS
    assert [sum(sums) for sums in list(zip(*found, strict=True))[1:]] == [
        sum(run.token_usage.get(name, 0) for run in runs) for name in TOKEN_COUNTS
    ]


def check_log(contender: Contender, count: int, session_id: str = SESSION) -> None:
    """Check that the log has this many events, without a gap or a repetition."""
    events = contender.read(session_id)
    assert [event.sequence_number for event in events] == list(range(1, count + 1)), "the log has a gap"
    assert len({event.id for event in events}) == count, "an event is stored twice"


def check_page(page: tuple[list[Any], Any], number: int, sessions: int) -> None:
    """Check that a page has the sessions that it should have."""
    items, _ = page
    last = sessions - (number - 1) * PAGE
    assert [session.id for session in items] == [f"ses_{last - place:06}" for place in range(1, PAGE + 1)]


def seed_log(port: Port) -> None:
    """Store the log that is read."""
    for start in range(0, EVENTS, BATCH):
        port.append_many(port.facts(range(start, start + BATCH)))


def seed_sessions(port: Port, sessions: int = SESSIONS) -> None:
    """Store the sessions that are listed."""
    with port.backend.transaction():
        for number in range(sessions):
            port.store.save_session(new_session(number))
        # The one that every database has comes last.
        port.store.save_session(msgspec.structs.replace(new_session(-1), id=SESSION))


def seed_runs(port: Port) -> None:
    """Store the runs whose tokens are added up."""
    seed_sessions(port)
    with port.backend.transaction():
        for number in range(RUNS):
            port.store.save_run(new_run(number, SESSIONS))


def _bars(sqlmodel: float, peewee: float, pony: float) -> dict[str, float]:
    return {"sqlmodel": sqlmodel, "peewee": peewee, "pony": pony}


def _page(number: int, sessions: int) -> Workload:
    which = "first" if number == 1 else f"{number}th"
    return Workload(
        f"W5 {which} page of {PAGE} of {sessions:,} sessions",
        partial(page_of, number=number, sessions=sessions),
        {False: _bars(1.5, 1.5, 1.5)},
        in_turn=10,
        seed=partial(seed_sessions, sessions=sessions),
    )


WORKLOADS: Final = (
    Workload(
        "W1 append one event (median call)", single_appends, {True: _bars(2.0, 1.6, 1.9), False: _bars(2.2, 1.8, 2.2)},
        in_turn=25,
    ),
    # docs/performance.md says why this bar is wider than was hoped.
    Workload(
        "W2 append 10,000 events in batches of 500", batches, dict.fromkeys((True, False), _bars(1.6, 1.6, 1.6)),
        of_steps=sum, in_turn=5,
    ),
    Workload("W4 read the 10,000 events of a session", whole_log, {False: _bars(1.2, 1.2, 1.2)}, seed=seed_log),
    Workload(
        "W4 read the 100 events after number 5,000", part_of_log, {False: _bars(1.4, 1.4, 1.4)}, in_turn=20,
        seed=seed_log,
    ),
    Workload(
        "W4 read the last 100 events", last_of_log, {False: _bars(1.4, 1.4, 1.4)}, in_turn=20, seed=seed_log,
    ),
    *(_page(number, sessions) for sessions in (SESSIONS, MANY) for number in (1, PAGES)),
    Workload("W6 tokens of 50,000 runs by provider", totals, {False: _bars(1.0, 1.0, 1.0)}, seed=seed_runs),
)  # fmt: skip

THREADS: Final = {
    ("sqlite", True): {8: 0.5, 1: 0.5},
    ("sqlite", False): {8: 0.8, 1: 0.7},
    ("postgresql", True): {8: 1.3, 1: 0.5},
    ("postgresql", False): {8: 1.3, 1: 0.5},
}
"""W3 in threads, in times of the floor: by database and whether commits wait for the disk, then by sessions."""
PROCESSES: Final = _bars(1.5, 1.4, 1.5)
"""W3 in processes, in times of the floor."""
LONGEST_CALL: Final = 3.0
"""W3 in threads, the longest call and the 99.9th percentile, in times of the floor's."""
TASKS: Final = 0.3
"""W9, in times of one thread that appends alone."""
SEEN_SOON: Final = {"sqlite": 3.0, "postgresql": 15.0}
"""W7, within a second of the last event; in milliseconds, by database."""
SEEN_WITH_NOTIFY: Final = 1.0
SEEN_AFTER_SILENCE: Final = 60.0
SEEN_IN_PROCESS: Final = 5.0
IDLE: Final = 1.0
"""W7, per cent of a core."""
IMPORT: Final = 2.0
"""W8, in times of the import of the dependencies."""
STARTED: Final = 1.5
"""`asm --help`, in times of importing Typer; `asm sessions`, in times of importing its backend."""
RECORDED: Final = 3.0
"""`asm run`, in times of the pipe alone."""
