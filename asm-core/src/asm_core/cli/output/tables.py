"""Tables: drawn to fit a terminal, and lines of cells in a pipe."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from asm_core.cli.output import printing
from asm_core.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

_WIDE: Final = 100
"""Columns from which a table has wide gaps."""
_ROWS_AT_ONCE: Final = 500
"""Rows per table on a terminal. Longer listings are drawn in parts, which bounds memory."""
_LONGEST_WORD: Final = 24
"""Characters of a word that a column keeps on one line."""
_LEAST_REST: Final = 12
"""Columns that the text with the rest of the line needs."""
_INDENT: Final = 2
_UNKNOWN: Final = frozenset({"", "-"})


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table: drawn on a terminal; in a pipe, tab-separated lines that begin with the column names.

    Args:
        columns: the column names.
        rows: the cells; control characters in them are escaped.
        right: the names of right-aligned columns.
    """
    if not printing.on_terminal():
        remaining = printing.begun(rows)
        printing.row(columns)
        for cells in remaining:
            printing.row(cells)
        return
    for first, piece in parts(rows):
        if first or piece:
            draw(columns, piece, right=right)


def parts(rows: Iterable[T]) -> Iterator[tuple[bool, list[T]]]:
    """Yield the rows in parts of a table on a terminal, each with whether it is the first; the first may be empty."""
    remaining = printing.begun(rows)
    yield True, list(itertools.islice(remaining, _ROWS_AT_ONCE))
    while piece := list(itertools.islice(remaining, _ROWS_AT_ONCE)):
        yield False, piece


def draw(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    most: Mapping[str, int] | None = None,
    rest: str | None = None,
    style: Callable[[str, str], str] = lambda _column, _cell: "",
) -> None:
    """Draw a table on a terminal; where it is too narrow, a block of lines for each row.

    Args:
        columns: the column names.
        rows: the cells; control characters in them are escaped.
        right: the names of right-aligned columns.
        most: the greatest width of a column; longer cells are cut.
        rest: the column that gets the rest of the line; the others are not wrapped then, and its long cells are cut.
        style: returns the style of a cell, from its column and its text.
    """
    from rich import box  # noqa: PLC0415  only on a terminal
    from rich.table import Table  # noqa: PLC0415  only on a terminal
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    shown = [[visible(cell) for cell in cells] for cells in rows]
    screen, limits = printing.console(), dict(most or {})
    needs = [_need(name, cells, rest, limits.get(name)) for name, cells in _by_column(columns, shown)]
    wide = rest is None or screen.width >= _WIDE
    layout = _layout(needs, screen.width, is_wide=wide, without_last=not columns[-1])
    if layout is None:
        _stack(columns, shown, style)
        return
    widths, gap = layout
    columns = columns[: len(widths)]
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    for number, (name, width) in enumerate(zip(columns, widths, strict=True)):
        drawn.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=number == 0 or rest is not None,
            overflow="ellipsis" if name in limits or name == rest else "fold",
            width=width,
        )
    for cells in shown:
        drawn.add_row(*(Text(cell, style(name, cell)) for name, cell in zip(columns, cells, strict=False)))
    screen.print(drawn)


class _Need(NamedTuple):
    """The widths of a column: of its longest cell, and the least with which it can be read."""

    natural: int
    least: int


def _by_column(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    for number, name in enumerate(columns):
        yield name, [name, *(cells[number] for cells in rows)]


def _need(name: str, cells: list[str], rest: str | None, most: int | None) -> _Need:
    from rich.cells import cell_len  # noqa: PLC0415  only on a terminal

    natural = max(map(cell_len, cells))
    if most is not None:
        natural = min(natural, most)
    if rest is not None:
        return _Need(natural, min(natural, _LEAST_REST) if name == rest else natural)
    words = max((cell_len(word) for cell in cells for word in cell.split()), default=0)
    return _Need(natural, max(min(words, _LONGEST_WORD), len(name)))


def _layout(needs: Sequence[_Need], width: int, *, is_wide: bool, without_last: bool) -> tuple[list[int], int] | None:
    """Return the widths of the columns, and the blanks beside that of the box; None where they do not fit.

    Args:
        needs: what each column needs.
        width: the width of the terminal.
        is_wide: prefer wide gaps.
        without_last: leave the last column out where there is no room. It has no name: it repeats another as a picture.
    """
    for kept, gap in itertools.product((needs, needs[:-1]) if without_last else (needs,), (1, 0) if is_wide else (0,)):
        widths = _fitted(kept, width - (1 + gap) * (len(kept) - 1))
        if widths is not None:
            return widths, gap
    return None


def _fitted(needs: Sequence[_Need], room: int) -> list[int] | None:
    """Return the width of each column, the widest ones made narrower; None where that is not enough.

    >>> _fitted([_Need(9, 9), _Need(40, 5)], 30), _fitted([_Need(9, 9), _Need(40, 5)], 13)
    ([9, 21], None)
    """
    widths = [need.natural for need in needs]
    # The first column identifies the row: it is never cut.
    while sum(widths) > room:
        narrowable = [place for place, need in enumerate(needs) if place and widths[place] > need.least]
        if not narrowable:
            return None
        widths[max(narrowable, key=widths.__getitem__)] -= 1
    return widths


def _stack(columns: Sequence[str], rows: Sequence[Sequence[str]], style: Callable[[str, str], str]) -> None:
    """Draw a block for each row: its first cell, and below it the other ones that are known, by name."""
    from rich.padding import Padding  # noqa: PLC0415  only on a terminal
    from rich.table import Table  # noqa: PLC0415  only on a terminal
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    screen = printing.console()
    for cells in rows:
        screen.print(Padding(Text(cells[0], "bold", overflow="fold"), (0, 0)))
        grid = Table.grid(padding=(0, _INDENT))
        grid.add_column(no_wrap=True)
        grid.add_column()
        for name, cell in zip(columns[1:], cells[1:], strict=True):
            if name and cell not in _UNKNOWN:
                grid.add_row(Text(name, style="dim"), Text(cell, style(name, cell), overflow="fold"))
        if grid.rows:
            screen.print(Padding(grid, (0, 0, 0, _INDENT)))
