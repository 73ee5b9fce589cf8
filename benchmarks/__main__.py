"""Measure the backends against the floor, alternately, and print the ratios: `nox -s bench`, or `-- --rounds 5`."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import workloads
from benchmarks.workloads import Pair

BACKENDS = ("sqlmodel",)
ON_A_PAIR = {
    "one event, durable (median call)": workloads.single_append,
    "10,000 events in batches of 500": workloads.batches,
    "read the log of a session": workloads.whole_log,
}
RECORDED = "asm run of 200,000 lines, start included"
BARS = {RECORDED: 3.0}


def measure(backend: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of floor and backend, by workload, a pair for each round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (*ON_A_PAIR, RECORDED)}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as room:
            pair = Pair(backend, Path(room))
            for name, workload in ON_A_PAIR.items():
                found[name].append(workload(pair))
            pair.close()
            found[RECORDED].append(workloads.recorded_lines(backend, Path(room)))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    rounds = parser.parse_args().rounds
    table = Table("backend on SQLite", "workload", "floor, s", "ratio", "from", "to", "bar")
    for backend in BACKENDS:
        for name, pairs in measure(backend, rounds).items():
            ratios = [ours / floor for floor, ours in pairs]
            floor = statistics.median(floor for floor, _ in pairs)
            numbers = (statistics.median(ratios), min(ratios), max(ratios))
            bar = f"{BARS[name]:.1f}" if name in BARS else ""
            table.add_row(backend, name, f"{floor:.6f}", *(f"{number:.2f}" for number in numbers), bar)
    Console().print(table)


if __name__ == "__main__":
    main()
