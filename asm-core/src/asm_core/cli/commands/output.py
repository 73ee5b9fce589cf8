"""``asm output``."""

import itertools
import math
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final

import typer

from asm_core.cli.output.history.events import events_between
from asm_core.cli.output.screen import Screen
from asm_core.cli.output.streams import raw_streams, stream_of
from asm_core.cli.parsing.arguments import NewestSessionArgument
from asm_core.cli.parsing.finding import NEWEST, find_session
from asm_core.cli.parsing.store import with_backend
from asm_core.cli.parsing.when import TIME_HELP, parse_time
from asm_core.commands import joined_output
from asm_core.models import Event, EventType
from asm_core.ports import Backend

_AT_ONCE: Final = 500
"""Pieces of output that are joined for one write."""


@with_backend
def print_output(
    backend: Backend,
    session: NewestSessionArgument = NEWEST,
    *,
    replay: Annotated[bool, typer.Option("--replay", help="Print it in the time in which it was recorded.")] = False,
    speed: Annotated[
        float, typer.Option(metavar="FACTOR", help="Replay faster (2) or more slowly (0.5) than recorded.")
    ] = 1.0,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only what was printed at this time or later: {TIME_HELP}.")
    ] = None,
) -> None:
    """Print what the command of a session printed, byte for byte.

    Each byte is written to the stream that it came from: standard output or standard error. What a command printed on
    a terminal (asm run --tty) is written to standard output, escape sequences included. Replay it in a terminal.
    """
    if not (speed > 0 and math.isfinite(speed)):
        message = f"Invalid factor: {speed}. Give a number above 0, such as 2."
        raise typer.BadParameter(message, param_hint="--speed")
    begin = parse_time("--since", since)
    found = find_session(backend, session)
    store = backend.session_store
    head = store.get_latest_sequence(found.id)
    events = events_between(store, found.id, 0, head, (EventType.MESSAGE_STREAMED,))
    output = (event for event in events if _is_output(event, begin))
    streams, screen = raw_streams(), Screen()
    try:
        for batch in _in_time(output, speed) if replay or speed != 1 else _in_batches(output):
            for name, pieces in itertools.groupby((event.data for event in batch), stream_of):
                data = joined_output(list(pieces))
                screen.follow(data)
                streams[name].write(data)
    finally:
        if sys.stdout.isatty():
            streams["stdout"].write(screen.undo())


def _is_output(event: Event, begin: datetime | None) -> bool:
    return isinstance(event.data.get("delta"), str) and (begin is None or event.timestamp >= begin)


def _in_batches(output: Iterator[Event]) -> Iterator[list[Event]]:
    while batch := list(itertools.islice(output, _AT_ONCE)):
        yield batch


def _in_time(output: Iterable[Event], speed: float) -> Iterator[list[Event]]:
    """Yield each piece when its time has come, counted from the first."""
    began = time.monotonic()
    first: datetime | None = None
    for event in output:
        first = first or event.timestamp
        due = began + (event.timestamp - first).total_seconds() / speed
        time.sleep(max(0.0, due - time.monotonic()))
        yield [event]
