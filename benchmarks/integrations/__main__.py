"""Compare stores on SQLite, with commits that wait for the disk: `python -m benchmarks.integrations [NAME ...]`.

Run it in an environment that has the integration and its framework, such as that of `nox -s integrations`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.integrations.comparing import compared

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("with_*.py"))


def main() -> int:
    """Print a table; return 1 if an integration takes more than 1.5 times as long as the framework's store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.integrations", description=__doc__)
    choices = [name.removeprefix("with_") for name in NAMES]
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(choices)} (default: all installed)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="the number of rounds of both (default: 15)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(choices):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(choices)}")
    table = Table("integration", "workload", "framework's store, ms", "ours, ms", "ratio", "of processor time")
    missed = False
    for name in given.names or choices:
        try:
            module = importlib.import_module(f"benchmarks.integrations.with_{name}")
        except ModuleNotFoundError as error:
            if given.names:
                parser.error(f"{name} needs {error.name}; install its integration.")
            continue
        with tempfile.TemporaryDirectory() as directory:
            for row in asyncio.run(compared(module.comparisons(Path(directory)), given.rounds)):
                missed |= row.ratio > (module.BAR if row.bar is None else row.bar)
                times = [f"{each.clock * 1000:.3f}" for each in (row.theirs, row.ours)]
                table.add_row(name, row.name, *times, f"{row.ratio:.2f}", f"{row.processor_ratio:.2f}")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
