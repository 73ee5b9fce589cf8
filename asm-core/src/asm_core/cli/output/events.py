"""Printing of events, one line each, as they arrive."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Final

from asm_core.cli.output import printing
from asm_core.cli.output.documents import json_document
from asm_core.cli.output.text import moment, summary
from asm_core.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from rich.console import Console
    from rich.text import Text

    from asm_core.models import Event, StoredEvent
    from asm_core.ports import SessionStore

COLUMNS: Final = ("number", "time", "type", "run", "text")
_LONGEST: Final = 4_000
"""Characters of an event that a terminal shows. A pipe and JSON get the whole text."""
_STYLES: Final = (
    ("_failed", "bold red"),
    ("_timeout", "bold red"),
    ("error_occurred", "bold red"),
    ("_cancelled", "yellow"),
    ("_completed", "green"),
    ("_streamed", "dim"),
)


class EventPrinter:
    """Prints events: formatted on a terminal, tab-separated in a pipe, or as one JSON object a line."""

    def __init__(self, *, as_json: bool, width: int = 1, full: bool = False) -> None:
        """Align numbers to `width` digits; in a pipe, print the column names first. `full` texts are not cut."""
        self._longest = sys.maxsize if full else _LONGEST
        self._width = width
        self._day: date | None = None
        terminal = printing.on_terminal()
        self.print: Callable[[Event], None] = json_document if as_json else self._draw if terminal else _print_row
        if not as_json and not terminal:
            printing.row(COLUMNS)

    @cached_property
    def _console(self) -> Console:
        return printing.console()

    def _draw(self, event: Event) -> None:
        from rich.text import Text  # noqa: PLC0415  only on a terminal

        at = event.timestamp.astimezone()
        if at.date() != self._day:
            self._day = at.date()
            self._console.print(Text(f"{at:%A, %d %B %Y, %Z}", style="dim italic"))
        line = Text()
        line.append(f"{event.sequence_number:>{self._width}}  {at:%H:%M:%S}.{at.microsecond // 1000:03}  ", style="dim")
        line.append(f"{visible(event.type):<19} ", style=_style(event.type))
        line.append_text(_text(event, " " * line.cell_len, self._longest))
        self._console.print(line, soft_wrap=True)


def events_between(
    store: SessionStore, session_id: str, after: int, last: int, types: Iterable[str] | None = None
) -> Iterator[StoredEvent]:
    """Yield events with numbers above `after` up to `last`, page by page; events appended meanwhile are left out."""
    for event in store.follow_events(session_id, after=after, type=types, idle_timeout=0.0):
        if (event.sequence_number or 0) > last:
            return
        yield event


def _style(kind: str) -> str:
    return next((style for end, style in _STYLES if kind.endswith(end)), "cyan")


def _text(event: Event, indent: str, longest: int) -> Text:
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    text = summary(event.data)
    more = len(text) - longest
    if more > 0:
        text = f"{text[:longest]}… ({more} more characters; --json shows them)"
    shown = visible(text, newlines=True).replace("\n", f"\n{indent}")
    return Text(shown, style="yellow" if event.data.get("stream") == "stderr" else "none")


def _print_row(event: Event) -> None:
    cells = (str(event.sequence_number), moment(event.timestamp), event.type, event.run_id or "", summary(event.data))
    printing.row(cells)
