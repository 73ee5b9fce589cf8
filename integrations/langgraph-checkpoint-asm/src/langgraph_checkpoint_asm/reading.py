"""Reads of checkpoints and of what tasks wrote to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id

import asm_core as asm
from asm_core.integrating import read_latest, restore_payload
from langgraph_checkpoint_asm.records import (
    CHECKPOINT,
    CHECKPOINTS,
    KIND,
    WRITES,
    Place,
    is_late,
    read_metadata,
    read_tuple,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from asm_core.ports import Ports

_PAGE: Final = 100


def latest(ports: Ports, place: Place) -> asm.Event | None:
    """Return the checkpoint with the greatest id of a place, or None.

    Of those that were stored in the order of their ids, it is the last; `is_late` marks the others.
    """
    late: list[asm.Event] = []
    for event in descending(ports, place, first=1):
        if not is_late(event):
            return event
        late.append(event)
    return max(late, key=lambda event: str(text(event, "id")), default=None)


def descending(ports: Ports, place: Place, first: int = _PAGE) -> Iterator[asm.Event]:
    """Yield the checkpoints of a place, the last stored first."""
    if place.ns:  # the log of a thread may be long; a subgraph's namespace is mostly new, and short
        yield from _correlated(ports, place.session_id, place.type, [place.key], "sequence_desc")
        return
    yield from _in_log(ports, place.session_id, (CHECKPOINT,), first)


def of_thread(ports: Ports, session_id: str, first: int = _PAGE) -> Iterator[asm.Event]:
    """Yield the checkpoints of a thread, also of its subgraphs, the last stored first."""
    yield from _in_log(ports, session_id, CHECKPOINTS, first)


def find(ports: Ports, place: Place, checkpoint_id: str) -> asm.Event | None:
    """Return a checkpoint by its id, or None."""
    try:
        return ports.session_store.get_event(place.event_id(checkpoint_id), session_id=place.session_id)
    except asm.NotFoundError:
        return None


def writes_of(ports: Ports, place: Place, checkpoint_ids: Iterable[str]) -> dict[str, list[asm.Event]]:
    """Return the writes of checkpoints of a place, by the id of the checkpoint."""
    found: dict[str, list[asm.Event]] = {one: [] for one in checkpoint_ids}
    keys = [place.event_id(one) for one in found]
    for event in _correlated(ports, place.session_id, WRITES, keys, "sequence_asc") if keys else ():
        found[text(event, "checkpoint_id")].append(event)
    return found


def get_tuple(ports: Ports, serde: SerializerProtocol, config: RunnableConfig) -> CheckpointTuple | None:
    """Return the checkpoint that a configuration names, or the latest of its place."""
    place = Place.of(config)
    checkpoint_id = get_checkpoint_id(config)
    if not (checkpoint_id or place.ns):
        found = read_latest(ports.session_store, place.session_id, CHECKPOINT)
        if found is None or not is_late(found.event):
            return None if found is None else read_tuple(serde, place.thread_id, *found)
    event = find(ports, place, checkpoint_id) if checkpoint_id else latest(ports, place)
    if event is None:
        return None
    own_id = str(text(event, "id"))
    writes = writes_of(ports, place, [own_id])[own_id]
    return read_tuple(serde, place.thread_id, event, writes, config if checkpoint_id else None)


def list_tuples(
    ports: Ports,
    serde: SerializerProtocol,
    config: RunnableConfig | None,
    *,
    filters: dict[str, Any] | None,
    before: RunnableConfig | None,
    limit: int | None,
) -> Iterator[CheckpointTuple]:
    """Yield the checkpoints that match, those of one thread in the descending order of their ids."""
    if limit is not None and limit <= 0:
        return
    left = limit
    # A page begins with as many as are likely to be returned: each has the whole state of the graph.
    only = config is not None and get_checkpoint_id(config)
    first = _PAGE if limit is None or filters or before or only else min(limit, _PAGE)
    for thread_id, page in _pages(ports, config, get_checkpoint_id(before) if before else None, first):
        kept = [event for event in page if _matches(serde, event, filters)][:left]
        yield from _tuples(ports, serde, thread_id, kept)
        if left is not None:
            left -= len(kept)
            if not left:
                return


def _tuples(
    ports: Ports, serde: SerializerProtocol, thread_id: str, events: list[asm.Event]
) -> Iterator[CheckpointTuple]:
    """Yield checkpoints of one thread, with their writes."""
    keys = [(Place(thread_id, text(event, "ns")), str(text(event, "id"))) for event in events]
    by_place: dict[Place, list[str]] = {}
    for place, checkpoint_id in keys:
        by_place.setdefault(place, []).append(checkpoint_id)
    writes = {place: writes_of(ports, place, ids) for place, ids in by_place.items()}
    for event, (place, checkpoint_id) in zip(events, keys, strict=True):
        yield read_tuple(serde, thread_id, event, writes[place][checkpoint_id])


def _pages(
    ports: Ports, config: RunnableConfig | None, before: str | None, first: int
) -> Iterator[tuple[str, list[asm.Event]]]:
    """Yield checkpoints in pages, each with its thread; the first page of a thread has `first` at most."""
    if config is None:
        for thread_id, session_id in threads(ports):
            for page in _ordered(of_thread(ports, session_id, first), before, None, first):
                yield thread_id, page
        return
    place = Place.of(config)
    is_anywhere = config["configurable"].get("checkpoint_ns") is None
    events = of_thread(ports, place.session_id, first) if is_anywhere else descending(ports, place, first)
    for page in _ordered(events, before, get_checkpoint_id(config), first):
        yield place.thread_id, page


def _ordered(
    events: Iterator[asm.Event], before: str | None, only: str | None, first: int
) -> Iterator[list[asm.Event]]:
    """Yield pages of checkpoints in the descending order of their ids; the events come in that of their numbers.

    The two orders differ only if a checkpoint was stored late: then all are read, and sorted.
    """
    page: list[asm.Event] = []
    size = first
    for event in events:
        if is_late(event):
            page = sorted([*page, event, *events], key=lambda one: str(text(one, "id")), reverse=True)
            break
        page.append(event)
        if len(page) == size:
            yield [one for one in page if _is_chosen(one, before, only)]
            page, size = [], _PAGE
    yield [one for one in page if _is_chosen(one, before, only)]


def threads(ports: Ports) -> Iterator[tuple[str, str]]:
    """Yield the id and the session of each thread, the most active first."""
    cursor: str | None = None
    while True:
        page = ports.query_api.search_sessions(tags=KIND, limit=_PAGE, cursor=cursor)
        for session in page.items:
            thread_id = thread_of(session)
            if thread_id is not None:
                yield thread_id, session.id
        cursor = page.cursor
        if cursor is None:
            return


def thread_of(session: asm.Session) -> str | None:
    """Return the thread of a session, or None if it is no session of a thread."""
    thread = session.metadata.get(KIND)
    if not isinstance(thread, dict) or "thread_id" not in thread:
        return None
    thread_id: str = restore_payload(thread["thread_id"])
    return thread_id


def _is_chosen(event: asm.Event, before: str | None, only: str | None) -> bool:
    found = str(text(event, "id"))
    return (before is None or found < before) and (only is None or found == only)


def _matches(serde: SerializerProtocol, event: asm.Event, filters: dict[str, Any] | None) -> bool:
    if not filters:
        return True
    metadata = read_metadata(serde, event)
    return all(metadata.get(key) == value for key, value in filters.items())


def _in_log(ports: Ports, session_id: str, types: tuple[str, ...], first: int) -> Iterator[asm.Event]:
    before: int | None = None
    size = first
    while True:
        try:
            page = ports.session_store.get_events(session_id, type=types, before=before, limit=size, order="desc")
        except asm.SessionNotFoundError:
            return
        yield from page
        if len(page) < size:
            return
        before = page[-1].sequence_number
        size = _PAGE


def _correlated(ports: Ports, session_id: str, kind: str, keys: list[str], order: str) -> Iterator[asm.Event]:
    cursor: str | None = None
    while True:
        page = ports.query_api.search_events(
            session_ids=session_id, types=kind, correlation_id=keys, order_by=order, limit=_PAGE, cursor=cursor
        )
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
