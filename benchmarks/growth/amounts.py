"""How cost grows with what is stored, and with what is stored at once."""

from __future__ import annotations

from contextlib import closing
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, Final

from benchmarks.contender import PAGE, SESSION, Port
from benchmarks.growth.points import MOST, Ground, Point, milliseconds
from benchmarks.growth.seeding import name_of, with_events, with_sessions
from benchmarks.workloads import PAGES, TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS: Final = (1_000, 10_000, 100_000, 1_000_000)
SESSIONS: Final = (100, 1_000, 10_000, 100_000)
SIZES: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
BATCHES: Final = (1, 10, 100, 1_000)


def by_events(ground: Ground, backend: str) -> Iterator[Point]:
    """Append to, read from the middle of, and search in sessions with ever more events."""
    place = ground.quick
    with closing(place.contender(backend, with_events(place, EVENTS))) as port:
        assert isinstance(port, Port)
        for size in EVENTS:
            session = name_of(size)
            appended = milliseconds(port.append, ((fact,) for fact in port.facts(range(MOST), session)))
            read = milliseconds(port.read_after, repeat((size // 2, TAKEN, session)))

            def search(session: str = session) -> Any:
                return port.query_api.search_events(session_ids=session)

            panels = {
                "append one event, ms": appended,
                "read 100 in the middle, ms": read,
                "first page of a search, ms": milliseconds(search, repeat(())),
            }
            for panel, y in panels.items():
                yield Point("events", panel, "events in the session", size, y)


def by_sessions(ground: Ground, backend: str) -> Iterator[Point]:
    """List pages of ever more sessions, and add up the tokens of one of them."""
    for size in SESSIONS:
        place = ground.quick
        with closing(place.contender(backend, with_sessions(place, size))) as port:
            assert isinstance(port, Port)
            session, cursor = f"ses_{size // 2:07}", None
            for _ in range(min(PAGES, size // PAGE) - 1):
                *_, cursor = port.page(cursor)
            api = port.query_api
            panels = {
                "first page of 50, ms": milliseconds(port.page, repeat(())),
                "20th page of 50, ms": milliseconds(port.page, repeat((cursor,))),
                "token usage of one session, ms": milliseconds(
                    lambda api=api, session=session: api.get_usage_summary(session_id=session), repeat(())
                ),
            }
            for panel, y in panels.items():
                yield Point("sessions", panel, "sessions", size, y)


def by_payload(ground: Ground, backend: str) -> Iterator[Point]:
    """Append and read events that carry ever more."""
    sessions = {size: f"{SESSION}_{size}" for size in SIZES}
    with closing(ground.quick.contender(backend, ground.quick.new_url(sessions.values()))) as port:
        for size, session in sessions.items():
            facts = (tuple(port.facts([number], session, size=size)) for number in count())
            appended = milliseconds(port.append, facts)
            yield Point("payload", "append one event, ms", "bytes of JSON", size, appended)
            read = milliseconds(port.read_after, repeat((1, 1, session)))
            yield Point("payload", "read one event, ms", "bytes of JSON", size, read)


def by_batch(ground: Ground, backend: str) -> Iterator[Point]:
    """Append batches of ever more events."""
    for panel, place in (("events a second", ground.quick), ("events a second, durable", ground.durable)):
        with closing(place.contender(backend, place.new_url())) as port:
            for size in BATCHES:
                batches = ((port.facts(range(size)),) for _ in count())
                each = milliseconds(port.append_many, batches)
                yield Point("batch", panel, "events in a batch", size, 1000 * size / each)
