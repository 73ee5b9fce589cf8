"""W9: a hundred asyncio tasks append one by one through `asm_core.aio`, against one thread that appends alone."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from asm_core import aio
from benchmarks.contender import SESSION, Port
from benchmarks.measured import attempt, in_rounds, of_pairs
from benchmarks.workloads import TASKS, check_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asm_core as asm
    from benchmarks.measured import Measured
    from benchmarks.places import Place
    from benchmarks.setting import Setting

COUNT: Final = 100
APPENDS: Final = 20
ALONE: Final = 300
WARM_UP: Final = 20


def measure(setting: Setting, *, sessions: int) -> Iterator[Measured]:
    """Yield the seconds of an append, with each backend, where commits wait for the disk."""
    for place in setting.places.values():
        if place.durable:
            database = place.title(is_writing=True)
            for backend in setting.backends:
                yield from attempt(name_of(sessions), database, backend, _compare, place, backend, sessions, setting)


def name_of(sessions: int) -> str:
    """Return the name in the table."""
    return f"W9 {COUNT} tasks append to {sessions} session{'s' * (sessions > 1)}"


def _compare(place: Place, backend: str, sessions: int, setting: Setting) -> list[Measured]:
    described = partial(
        of_pairs, workload=name_of(sessions), database=place.title(is_writing=True), backend=backend, bar=TASKS
    )
    return in_rounds(partial(_round, place, backend, sessions), setting.rounds, described)


def _round(place: Place, backend: str, sessions: int) -> tuple[float, float]:
    """Return the seconds of an append: of a thread alone, and of the tasks."""
    ids = [SESSION, *(f"{SESSION}_{number}" for number in range(1, sessions))]
    with closing(place.contender(backend, place.new_url(ids))) as port:
        assert isinstance(port, Port)
        facts = port.facts(range(WARM_UP + ALONE))
        for fact in facts[:WARM_UP]:
            port.append(fact)
        began = time.perf_counter()
        for fact in facts[WARM_UP:]:
            port.append(fact)
        alone = (time.perf_counter() - began) / ALONE
        appended = [port.facts(range(APPENDS), ids[number % sessions]) for number in range(COUNT)]
        together = asyncio.run(append_together(port.backend, appended)) / (COUNT * APPENDS)
        for number, session_id in enumerate(ids):
            check_log(port, COUNT // sessions * APPENDS + (number == 0) * len(facts), session_id)
    return alone, together


async def append_together(backend: asm.ports.Backend, appended: list[list[asm.Event]]) -> float:
    """Append with a task for each list; return the seconds."""
    face = aio.wrap(backend)

    async def one_by_one(events: list[asm.Event]) -> None:
        for event in events:
            await face.session_store.append_event(event)

    began = time.perf_counter()
    await asyncio.gather(*map(one_by_one, appended))
    taken = time.perf_counter() - began
    await face.close()
    return taken
