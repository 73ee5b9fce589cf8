"""Each backend against a hand-written floor, in one run: `nox -s bench`, or `nox -s bench -- --workload W1`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks import plan, report
from benchmarks.environment import environment, sql_backends
from benchmarks.growth import CURVES, grow
from benchmarks.places import DATABASES, places
from benchmarks.profiling import profiles
from benchmarks.setting import Setting
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measured import Measured

PROGRESS = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if a bar is missed."""
    chosen = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    with places(tuple(chosen.database or DATABASES)) as where:
        setting = Setting(where, tuple(chosen.backend or sql_backends()), chosen.rounds)
        if chosen.profile:
            named = tuple(chosen.workload or [""])
            for table in profiles([each for each in WORKLOADS if each.name.startswith(named)], setting):
                console.print(table)
            return 0
        if chosen.growth:
            return _grow(setting, chosen.growth, chosen.picture)
        rows = _measure(plan.chosen(chosen.workload), setting)
        versions = environment(where.values())
    console.print(report.table(rows))
    if chosen.json:
        report.write_json(chosen.json, rows, versions)
    if chosen.into:
        report.write_into(chosen.into, rows, versions)
    return 0 if rows and all(row.is_within for row in rows) else 1


def _grow(setting: Setting, directory: Path, pictures: list[str] | None) -> int:
    versions = environment(setting.places.values())
    try:
        is_whole = grow(setting, directory, versions, PROGRESS.print, pictures or CURVES)
    except ModuleNotFoundError as error:
        PROGRESS.print(f"{error}: pictures need matplotlib; `nox -s bench` installs it, or `pip install matplotlib`")
        return 2
    return 0 if is_whole else 1


def _measure(parts: list[plan.Part], setting: Setting) -> list[Measured]:
    rows = []
    for part in parts:
        with PROGRESS.status(part.name):
            for row in part.measure(setting):
                rows.append(row)
                PROGRESS.print("  ".join(filter(None, report.cells(row))), highlight=False, soft_wrap=True)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    add = parser.add_argument
    add("--backend", action="append", help="a backend; may be repeated (default: all that are installed)")
    add("--database", action="append", choices=DATABASES, help="a database; may be repeated (default: both)")
    add("--workload", action="append", help="a prefix of workload names, such as W1; may be repeated")
    add("--rounds", type=int, default=5, help="the number of rounds of floor and backend (default: 5)")
    add("--json", type=Path, metavar="FILE", help="write the figures and the environment as JSON")
    add("--into", type=Path, metavar="PAGE", help="write the table between the markers of a page")
    add("--picture", action="append", choices=CURVES, help="with --growth, a picture, may be repeated (default: all)")
    add("--growth", type=Path, metavar="DIRECTORY", help="draw the growth of cost and the effects of options instead")
    add("--profile", action="store_true", help="show a profile instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
