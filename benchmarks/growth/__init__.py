"""The growth of cost with stored data and with writers, and the effects of options, as points and as charts."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from benchmarks.growth.amounts import by_batch, by_events, by_payload, by_sessions
from benchmarks.growth.load import by_option, by_tasks, by_writers
from benchmarks.growth.points import Ground

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmarks.growth.points import Point
    from benchmarks.plan import Setting

__all__ = ["grow", "measured"]

CURVES: Final = {
    "events": by_events,
    "sessions": by_sessions,
    "writers": by_writers,
    "tasks": by_tasks,
    "payload": by_payload,
    "batch": by_batch,
    "options": by_option,
}
"""What is measured for each picture."""
NUMBERS: Final = "growth.json"


def grow(
    setting: Setting,
    directory: Path,
    environment: dict[str, str],
    tell: Callable[[str], None],
    pictures: Iterable[str] = CURVES,
) -> bool:
    """Measure, draw, and write the numbers beside the pictures; return whether no backend failed.

    The numbers of other pictures stay.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from benchmarks.growth.drawing import draw  # noqa: PLC0415  matplotlib is needed here alone

    series, is_whole = measured(setting, tell, pictures)
    directory.mkdir(parents=True, exist_ok=True)
    draw(series, directory)
    numbers = directory / NUMBERS
    before = json.loads(numbers.read_text("utf-8"))["series"] if numbers.exists() else []
    series += [each for each in before if each["picture"] not in pictures]
    series.sort(key=lambda each: [*CURVES].index(each["picture"]))
    lines = ",\n".join(f"  {json.dumps(each)}" for each in series)
    text = f'{{\n "environment": {json.dumps(environment)},\n "series": [\n{lines}\n ]\n}}\n'
    numbers.write_text(text, "utf-8")
    return is_whole


def measured(
    setting: Setting, tell: Callable[[str], None], pictures: Iterable[str] = CURVES
) -> tuple[list[dict[str, Any]], bool]:
    """Return the curves, and whether no backend failed."""
    series: list[dict[str, Any]] = []
    is_whole = True
    databases = dict.fromkeys(database for database, _ in setting.places)
    for picture, database, backend in product(pictures, databases, setting.backends):
        ground = Ground(setting.places[database, False], setting.places[database, True])
        tell(f"{picture}, {database}, {backend}")
        try:
            series.extend(_series(list(CURVES[picture](ground, backend)), database, backend))
        except Exception as error:  # noqa: BLE001  the others are still measured
            tell(f"failed: {type(error).__name__}: {error}")
            is_whole = False
    return series, is_whole


def _series(points: list[Point], database: str, backend: str) -> list[dict[str, Any]]:
    """Return the points as curves."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        found.setdefault((point.picture, point.panel, point.along), []).append(point)
    return [
        {
            "picture": picture,
            "panel": panel,
            "along": along,
            "database": database,
            "backend": backend,
            "x": [point.x for point in line],
            "y": [float(f"{point.y:.4g}") for point in line],
        }
        for (picture, panel, along), line in found.items()
    ]
