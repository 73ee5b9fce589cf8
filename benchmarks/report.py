"""The results as a table for a terminal or a page, and as JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from benchmarks.measured import TIMES, Measured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS: Final = ("workload", "database", "backend", "floor", "ratio", "from", "to", "bar", "within")
_MARKED: Final = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
_UNITS: Final = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


def duration(seconds: float) -> str:
    """Return seconds with the unit in which they read best.

    >>> duration(0.0000123), duration(0.5), duration(2)
    ('12.3 µs', '500 ms', '2.00 s')
    """
    unit, size = next((each for each in _UNITS if seconds >= each[1]), _UNITS[-1])
    number = seconds / size
    return f"{number:.{max(0, 2 - (number >= 10) - (number >= 100))}f} {unit}"


def figure(value: float, unit: str) -> str:
    """Return a ratio, or a figure with its unit."""
    return f"{value:.2f}" if unit == TIMES else f"{value:.2f} {unit}"


def cells(row: Measured) -> tuple[str, ...]:
    """Return what stands in the columns."""
    place = (row.workload, row.database, row.backend, "" if row.floor is None else duration(row.floor))
    if row.failure is not None:
        return (*place, "failed", "", "", "", row.failure)
    shown = (figure(value, row.unit) for value in (row.median, min(row.figures), max(row.figures)))
    bar = "" if row.bar is None else figure(row.bar, row.unit)
    return (*place, *shown, bar, "yes" if row.is_within else "NO")


def table(rows: Sequence[Measured]) -> Table:
    """Return the table for a terminal."""
    found = Table(*COLUMNS)
    for row in rows:
        found.add_row(*cells(row), style=None if row.is_within else "red")
    return found


def markdown(rows: Sequence[Measured], environment: dict[str, str]) -> str:
    """Return the table for a page."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(cells(row) for row in rows)]
    versions = ", ".join(f"{name} {value}" for name, value in environment.items())
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\nMeasured on: {versions}.\n"


def write_into(page: Path, rows: Sequence[Measured], environment: dict[str, str]) -> None:
    """Put the table between the markers of a page."""
    text, count = _MARKED.subn(
        lambda found: f"{found[1]}\n{markdown(rows, environment)}\n{found[2]}", page.read_text("utf-8")
    )
    if count != 1:
        message = f"{page} must have the markers <!-- measured --> and <!-- /measured -->, once"
        raise ValueError(message)
    page.write_text(text, "utf-8")


def write_json(path: Path, rows: Sequence[Measured], environment: dict[str, str]) -> None:
    """Write all figures, and the environment."""
    found: dict[str, Any] = {"environment": environment, "measured": [row.as_json() for row in rows]}
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
