"""Printing of events, one line each, as they arrive."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Final

from asm_core.cli.output import printing
from asm_core.cli.output.documents import json_document
from asm_core.cli.output.history.sequences import without_sequences
from asm_core.cli.output.styles import ATTENTION
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
_LEAST_TEXT: Final = 30
"""Columns that the text beside an event's head needs."""
_INDENT: Final = 4
_STYLES: Final = (
    ("_failed", "bold red"),
    ("_timeout", "bold red"),
    ("error_occurred", "bold red"),
    ("_cancelled", ATTENTION),
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
        self._print_beside(line, _text(event, self._longest))

    def _print_beside(self, head: Text, text: Text) -> None:
        """Print the text beside the head, or below it on a narrow terminal."""
        from rich.padding import Padding  # noqa: PLC0415  only on a terminal
        from rich.table import Table  # noqa: PLC0415  only on a terminal

        if self._console.width - head.cell_len < _LEAST_TEXT:
            self._console.print(Padding(head, (0, 0)))
            if text.plain:
                self._console.print(Padding(text, (0, 0, 0, _INDENT)))
            return
        grid = Table.grid(padding=0)
        grid.add_column(no_wrap=True, width=head.cell_len)
        grid.add_column()
        grid.add_row(head, text)
        self._console.print(grid)


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


def _text(event: Event, longest: int) -> Text:
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    data = event.data
    if isinstance(data.get("stream"), str) and isinstance(data.get("delta"), str):
        data = {**data, "delta": without_sequences(data["delta"])}
    text = summary(data)
    more = len(text) - longest
    if more > 0:
        text = f"{text[:longest]}… ({more} more characters; --json shows them)"
    style = ATTENTION if data.get("stream") == "stderr" else "none"
    return Text(visible(text, newlines=True), style=style, overflow="fold")


def _print_row(event: Event) -> None:
    cells = (str(event.sequence_number), moment(event.timestamp), event.type, event.run_id or "", summary(event.data))
    printing.row(cells)
