"""Pictures of the points: a row for each database, a panel for each thing measured, a curve for each backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

if TYPE_CHECKING:
    from pathlib import Path

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator

Series = dict[str, Any]
"""A curve: picture, panel, along, database, backend, x, y; the last two are lists."""

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
TITLES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 8,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 3,
    # Text stays text, and names in the file stay the same from run to run.
    "svg.fonttype": "none",
    "svg.hashsalt": "asm",
}


def draw(series: list[Series], directory: Path) -> list[Path]:
    """Draw all pictures into a directory."""
    written = []
    with mpl.rc_context(_STYLE):
        for picture in dict.fromkeys(each["picture"] for each in series):
            path = directory / f"{picture}.svg"
            _draw([each for each in series if each["picture"] == picture], path)
            written.append(path)
    return written


def _draw(series: list[Series], path: Path) -> None:
    databases = [*dict.fromkeys(each["database"] for each in series)]
    panels = {
        database: [*dict.fromkeys((each["panel"], each["along"]) for each in series if each["database"] == database)]
        for database in databases
    }
    width = max(map(len, panels.values()))
    size = (2.7 * width, 2.1 * len(databases) + 0.3)
    figure, grid = plt.subplots(len(databases), width, figsize=size, squeeze=False, layout="constrained")
    for row, database in zip(grid, databases, strict=True):
        for axes in row[len(panels[database]) :]:
            axes.set_axis_off()
        row[0].set_ylabel(TITLES.get(database, database), fontsize=9, fontweight="bold")
        for axes, panel in zip(row, panels[database], strict=False):
            _fill(
                axes,
                [each for each in series if (each["database"], each["panel"], each["along"]) == (database, *panel)],
            )
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def _fill(axes: Any, series: list[Series]) -> None:
    first = series[0]
    axes.set_title(first["panel"], fontsize=8)
    axes.set_xlabel(first["along"])
    has_names = isinstance(first["x"][0], str)
    for place, (each, colour) in enumerate(zip(series, COLOURS, strict=False)):
        if has_names:
            bar = 0.8 / len(series)
            middles = [number + bar * (place - (len(series) - 1) / 2) for number in range(len(each["x"]))]
            axes.bar(middles, each["y"], bar, color=colour, label=each["backend"])
        else:
            axes.plot(each["x"], each["y"], "o-", color=colour, label=each["backend"])
    if has_names:
        axes.set_xticks(range(len(first["x"])), first["x"])
        axes.grid(visible=False, axis="x")
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    # A curve that is flat should look flat.
    middle = (low * high) ** 0.5
    axes.set_ylim(min(low, middle / 3), max(high, middle * 3))
    axes.set_xticks(first["x"], [_short(x) for x in first["x"]])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(lambda y, _: _short(y))
    axes.minorticks_off()


def _short(number: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
