"""``asm tail``."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from asm_core.cli.output.history.events import EventPrinter, events_between
from asm_core.cli.parsing.arguments import NewestSessionArgument
from asm_core.cli.parsing.finding import NEWEST, find_session
from asm_core.cli.parsing.store import with_backend
from asm_core.models import TERMINAL_SESSION_STATUSES, Event, EventType, StoredEvent
from asm_core.models.statuses import check_event_type
from asm_core.ports import Backend, SessionStore

_LAST_EVENTS = frozenset({EventType.SESSION_COMPLETED, EventType.SESSION_FAILED, EventType.SESSION_CANCELLED})
_CHUNK = 200
_LOOK_SECONDS = 1.0
"""Seconds without an event after which `--follow` checks whether the session has ended without a final event."""


@with_backend
def tail_session(
    backend: Backend,
    session: NewestSessionArgument = NEWEST,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new events until the session ends.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="The number of last events to begin with.")
    ] = 10,
    kind: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show the last events of a session, and follow it.

    With --follow, new events are shown as they are recorded, also by other processes. The command ends with status 0
    when the session ends, or at Ctrl-C.
    """
    types = frozenset(map(check_event_type, kind or ())) or None
    found = find_session(backend, session)
    store = backend.session_store
    head = store.get_latest_sequence(found.id)
    start = start_of_last(store, found.id, head, lines, types)
    printer = EventPrinter(as_json=as_json, width=len(str(head)))
    if not follow:
        for event in events_between(store, found.id, start, head, types):
            printer.print(event)
        return
    with contextlib.suppress(KeyboardInterrupt):
        for event in follow_to_end(store, found.id, event_at(store, found.id, start) or start, types):
            printer.print(event)
            sys.stdout.flush()


def start_of_last(store: SessionStore, session_id: str, head: int, count: int, types: Iterable[str] | None) -> int:
    """Return the number before the last `count` events that end at number `head`."""
    before = head + 1
    while count and before > 1:
        after = max(0, before - 1 - _CHUNK)
        events = store.get_events(session_id, type=types, after=after, before=before)
        if len(events) >= count:
            return (events[-count].sequence_number or 1) - 1
        count -= len(events)
        before = after + 1
    return before - 1


def event_at(store: SessionStore, session_id: str, number: int) -> StoredEvent | None:
    """Return the event with this number; None if it was pruned, or for number 0."""
    found = store.get_events(session_id, after=number - 1, before=number + 1) if number else []
    return found[0] if found else None


def follow_to_end(
    store: SessionStore, session_id: str, after: int | Event, types: frozenset[str] | None
) -> Iterator[StoredEvent]:
    """Yield the events after a number or an event as they arrive, until the session has ended and all were yielded.

    Raises:
        LogSetBackError: the log lost events that were already yielded.
    """
    watched = None if types is None else types | _LAST_EVENTS
    over = False
    while True:
        # The status comes first: the read after it returns every event that was stored before the status became final.
        over = over or store.get_session(session_id).status in TERMINAL_SESSION_STATUSES
        ends_here = over
        for event in store.follow_events(
            session_id, after=after, type=watched, idle_timeout=0.0 if over else _LOOK_SECONDS
        ):
            after = event
            if types is None or event.type in types:
                yield event
            over = over or event.type in _LAST_EVENTS
            if over and not ends_here:
                break
        if ends_here:
            return
