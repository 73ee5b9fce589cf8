"""A reader that reads logs in several ways during writes, and compares each result with earlier ones."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asm_core import Backend, Event

Log = list[tuple[int | None, str]]
"""The numbers and ids of a session's events."""
Logs = dict[str, Log]

PAGE = 20


def whole(backend: Backend, seen: Logs) -> Logs:
    """Read each log from its beginning."""
    return {name: marks(backend.session_store.get_events(name)) for name in seen}


def rest(backend: Backend, seen: Logs) -> Logs:
    """Read the events after the last one that was seen."""
    store = backend.session_store
    return {name: log + marks(store.get_events(name, after=len(log))) for name, log in seen.items()}


def pages(backend: Backend, seen: Logs) -> Logs:
    """Read all logs page by page."""
    found: Logs = {name: [] for name in seen}
    for event in all_items(backend.query_api.search_events, session_ids=list(seen), limit=PAGE):
        found[event.session_id] += marks([event])
    return found


WAYS: tuple[Callable[[Backend, Logs], Logs], ...] = (whole, rest, pages)


def marks(events: Iterable[Event]) -> Log:
    """Return the numbers and ids of events."""
    return [(event.sequence_number, event.id) for event in events]


def read_until(backend: Backend, *, names: list[str], count: int) -> Logs:
    """Read logs in each way until each has `count` events; events that were seen must not change."""
    seen: Logs = {name: [] for name in names}
    for way in cycle(WAYS):
        before = {name: backend.session_store.get_latest_sequence(name) for name in names}
        found = way(backend, seen)
        after = {name: backend.session_store.get_latest_sequence(name) for name in names}
        for name, log in found.items():
            said = f"{name}, by {way.__name__}"
            assert [number for number, _ in log] == list(range(1, len(log) + 1)), f"a gap: {said}"
            assert log[: len(seen[name])] == seen[name], f"events that were seen have changed: {said}"
            assert before[name] <= len(log) <= after[name], f"the last number is not that of the last event: {said}"
        seen = found
        if {len(log) for log in seen.values()} == {count}:
            return seen
    raise AssertionError  # it cycles forever
