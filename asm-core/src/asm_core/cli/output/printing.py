"""Output of commands: tables on a terminal, and plain text in a pipe."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from asm_core.cli.output.streams import WholeWriter
from asm_core.errors import without_account
from asm_core.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

T = TypeVar("T")

_ROOMY = 60
"""Columns that have room for a name on one line."""


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


class GuardedStream:
    """A text stream that escapes control characters from any writer; it keeps newlines.

    Attributes:
        unguarded: the stream itself, for text that is already escaped.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        """Escape and write a text."""
        self.unguarded.write(visible(text, newlines=True))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Escape and write several texts."""
        for one in lines:
            self.write(one)

    def __getattr__(self, name: str) -> Any:
        """Return the attribute of the stream itself."""
        return getattr(self.unguarded, name)


def guard_streams() -> None:
    """Escape control characters in all text to standard output and error, also in warnings and tracebacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, GuardedStream):
            setattr(sys, name, GuardedStream(stream))


def escaped_output() -> TextIO:
    """Return standard output for text that is already escaped; its newlines and escape sequences are ours."""
    return sys.stdout.unguarded if isinstance(sys.stdout, GuardedStream) else sys.stdout


def line(text: str = "") -> None:
    """Print a line of text; control characters and newlines in it are escaped."""
    escaped_output().write(f"{visible(text)}\n")


def row(cells: Iterable[str]) -> None:
    """Print a line of tab-separated cells; control characters in them are escaped."""
    escaped_output().write("\t".join(map(visible, cells)) + "\n")


def note(text: str) -> None:
    """Print a message to standard error; newlines in it are escaped."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.write(f"{visible(without_account(text))}\n")
    sys.stderr.flush()


def is_stuck() -> bool:
    """Return whether a write to standard error would block."""
    raw = getattr(sys.stderr.buffer, "raw", sys.stderr.buffer)
    return isinstance(raw, WholeWriter) and not raw.can_be_written()


def console() -> Console:
    """Return a Rich console on standard output."""
    from rich.console import Console  # noqa: PLC0415  importing it takes a third of the start of commands without a console

    made = Console(file=escaped_output(), highlight=False, markup=False, emoji=False)
    if made.is_dumb_terminal:  # of which Rich assumes 80 columns
        made.width = shutil.get_terminal_size().columns
    return made


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values: aligned on a terminal; in a pipe, one tab-separated pair a line."""
    if not on_terminal():
        for name, value in pairs:
            row((name, value))
        return
    from rich.table import Table  # noqa: PLC0415  only on a terminal
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    screen = console()
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=screen.width >= _ROOMY)
    grid.add_column()
    for name, value in pairs:
        grid.add_row(Text(name, style="dim"), Text(visible(value), overflow="fold"))
    screen.print(grid)


def begun(values: Iterable[T]) -> Iterator[T]:
    """Return an iterator whose first value is already fetched, so that an error comes before any output."""
    remaining = iter(values)
    return itertools.chain(list(itertools.islice(remaining, 1)), remaining)


def be_printable() -> None:
    """Prepare the streams so that printing never fails: not for an encoding, and not on a closed stream."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  open as long as the process
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def abandon_output() -> None:
    """Discard all further output, after the reader closed the pipe."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
