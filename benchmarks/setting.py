"""The setting of a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.places import Place


@dataclass(frozen=True)
class Setting:
    """On what it is measured, and how often.

    Attributes:
        places: by kind of database, and whether a commit waits for the disk.
        backends: their names.
        rounds: how often floor and backend are measured.
    """

    places: dict[tuple[str, bool], Place]
    backends: tuple[str, ...]
    rounds: int
