"""W10: the plain append, partitions and the text index, against the same backend without them."""

from __future__ import annotations

import gc
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import asm_core as asm
from benchmarks.measured import attempt, in_rounds, of_pairs
from benchmarks.racing import in_turn
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measured import Measured
    from benchmarks.places import Place
    from benchmarks.setting import Setting
    from benchmarks.workloads import Workload

PARTITIONS: Final = 16
LAYOUTS: Final[dict[str, dict[str, Any]]] = {
    "append plainly": {"append": "plain"},
    f"append to {PARTITIONS} partitions": {"partitions": PARTITIONS},
    "append with a text index": {"text_search": True},
}
"""What is measured, and the difference from the default."""
_OF_THE_SCHEMA: Final = ("partitions", "text_search")
_ON_ALL_DATABASES: Final = ("text_search",)
_KINDS: Final = {"one by one": WORKLOADS[0], "in batches of 500": WORKLOADS[1]}


def names() -> Iterator[str]:
    """Yield the names in the table."""
    for layout in LAYOUTS:
        for kind in _KINDS:
            yield f"W10 {layout}, {kind}"


def measure(setting: Setting, *, name: str) -> Iterator[Measured]:
    """Yield what an append takes in times of the default, where commits wait for the disk; there is no bar."""
    layout, _, kind = name.removeprefix("W10 ").partition(", ")
    everywhere = any(option in _ON_ALL_DATABASES for option in LAYOUTS[layout])
    for place in setting.places.values():
        if place.durable and (everywhere or place.database == "postgresql"):
            database = place.title(is_writing=True)
            for backend in setting.backends:
                taken = partial(_round, place, backend, LAYOUTS[layout], _KINDS[kind])
                described = partial(of_pairs, workload=name, database=database, backend=backend, bar=None)
                yield from attempt(name, database, backend, in_rounds, taken, setting.rounds, described)


def _round(place: Place, backend: str, layout: dict[str, Any], workload: Workload) -> tuple[float, float]:
    """Return the seconds of the default, and of the layout, in turn."""
    options = {name: value for name, value in layout.items() if name not in _OF_THE_SCHEMA}
    schema = {name: value for name, value in layout.items() if name in _OF_THE_SCHEMA}
    with ExitStack() as stack:
        urls = [place.new_url() for _ in range(2)]
        if schema:
            with asm.open_backend(backend, url=urls[1]) as opened:
                opened.migrate(**schema)
        both = [
            stack.enter_context(closing(place.contender(backend, url, **given)))
            for url, given in zip(urls, ({}, options), strict=True)
        ]
        for url in urls:
            place.settle(url)
        gc.collect()
        times = in_turn(workload.steps, both, workload.in_turn)
    default, ours = (workload.of_steps(steps) for steps in times)
    return default, ours
