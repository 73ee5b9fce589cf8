"""Deletion, copies and pruning of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asm_core as asm
from asm_core.integrating import composed_id
from langgraph_checkpoint_asm import reading
from langgraph_checkpoint_asm.records import CHECKPOINTS, RUN, WRITES, Place, read_metadata, run_key, text
from langgraph_checkpoint_asm.serialization import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.checkpoint.serde.base import SerializerProtocol

    from asm_core.ports import Ports
    from langgraph_checkpoint_asm.writing import Writer


def exists(backend: asm.Backend, place: Place) -> bool:
    """Return whether a thread has a session."""
    try:
        backend.session_store.get_session(place.session_id)
    except asm.SessionNotFoundError:
        return False
    return True


def delete_for_runs(backend: asm.Backend, serde: SerializerProtocol, run_ids: Iterable[str]) -> list[str]:
    """Delete the checkpoints of runs, what their tasks wrote, and their messages; return the changed sessions."""
    changed: list[str] = []
    for run_id in run_ids:
        while markers := backend.query_api.search_events(types=RUN, correlation_id=run_key(run_id)).items:
            for marker in markers:
                _delete_run(backend, serde, marker, run_id)
                changed.append(marker.session_id)
    return changed


def _delete_run(backend: asm.Backend, serde: SerializerProtocol, marker: asm.Event, run_id: str) -> None:
    session_id = marker.session_id
    with backend.transaction() as ports:
        thread_id = reading.thread_of(ports.session_store.get_session(session_id))
        if thread_id is not None:
            events = [
                event
                for event in reading.of_thread(ports, session_id)
                if read_metadata(serde, event).get("run_id") == run_id
            ]
            _delete_checkpoints(ports, thread_id, session_id, events)
            ports.session_store.delete_events(session_id, run_id=composed_id("langgraph.run", thread_id, run_id))
        ports.session_store.delete_events(session_id, ids=marker.id)


def copy_thread(backend: asm.Backend, writer: Writer, source: Place, target: Place) -> None:
    """Copy all checkpoints and writes, and the events of messages, to a thread."""
    with backend.transaction() as ports:
        writer.ensure_session(ports, target, parent=source.session_id)
        after = 0
        while page := ports.session_store.get_events(source.session_id, after=after, limit=100):
            after = page[-1].sequence_number
            ports.session_store.append_events([_copied(event, target) for event in page])


def _copied(event: asm.Event, target: Place) -> asm.Event:
    """Return an event for another thread; its ids are those that the thread's own event would have."""
    place = Place(target.thread_id, text(event, "ns") if "ns" in event.data else "")
    own_id: str | None = None
    correlation: str | None = None
    if event.type in CHECKPOINTS:
        own_id, correlation = place.event_id(text(event, "id")), place.key if place.ns else None
    elif event.type == WRITES:
        correlation = place.event_id(text(event, "checkpoint_id"))
    elif event.type == RUN:
        own_id = composed_id(RUN, target.thread_id, text(event, "run_id"))
        correlation = event.correlation_id
    else:
        own_id = composed_id("langgraph.copy", target.thread_id, event.id)
    return asm.Event.new(
        type=event.type,
        id=own_id,
        session_id=target.session_id,
        # The run itself is not copied: its usage counts once.
        run_id=composed_id("langgraph.copy", target.thread_id, event.run_id) if event.run_id else None,
        timestamp=event.timestamp,
        correlation_id=correlation,
        data=event.data,
        metadata=event.metadata,
        provider=event.provider,
    )


def prune(backend: asm.Backend, serde: SerializerProtocol, place: Place) -> None:
    """Delete all checkpoints of a thread but the latest of each namespace, and those that it needs.

    A delta channel has no value in most checkpoints: LangGraph rebuilds it from what tasks wrote since the last
    ancestor that has one. The metadata count the steps since then, so they name the channels.
    """
    with backend.transaction() as ports:
        by_ns: dict[str, dict[str, asm.Event]] = {}
        for event in reading.of_thread(ports, place.session_id):
            by_ns.setdefault(text(event, "ns"), {})[text(event, "id")] = event
        dropped = [
            event
            for events in by_ns.values()
            for checkpoint_id, event in events.items()
            if checkpoint_id not in _needed(serde, events, max(events))
        ]
        _delete_checkpoints(ports, place.thread_id, place.session_id, dropped)


def _needed(serde: SerializerProtocol, events: dict[str, asm.Event], head: str) -> set[str]:
    needed = {head}
    counted: dict[str, Any] = read_metadata(serde, events[head]).get("counters_since_delta_snapshot") or {}
    without_value = set(counted) - _values(serde, events[head])
    parent = text(events[head], "parent")
    while without_value and parent in events and parent not in needed:
        needed.add(parent)
        without_value -= _values(serde, events[parent])
        parent = text(events[parent], "parent")
    return needed


def _values(serde: SerializerProtocol, event: asm.Event) -> set[str]:
    return set(load(serde, event.data["checkpoint"])["channel_values"])


def _delete_checkpoints(ports: Ports, thread_id: str, session_id: str, events: list[asm.Event]) -> None:
    by_place: dict[Place, list[str]] = {}
    for event in events:
        by_place.setdefault(Place(thread_id, text(event, "ns")), []).append(text(event, "id"))
    for place, checkpoint_ids in by_place.items():
        for start in range(0, len(checkpoint_ids), 100):
            some = checkpoint_ids[start : start + 100]
            writes = reading.writes_of(ports, place, some)
            ids = [place.event_id(one) for one in some] + [event.id for found in writes.values() for event in found]
            ports.session_store.delete_events(session_id, ids=ids)
