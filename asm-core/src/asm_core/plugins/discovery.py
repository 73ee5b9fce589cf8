"""Discovery of plugins in installed distributions, tolerant of damaged metadata."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution, EntryPoint

_UNKNOWN: Final = "unknown"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An entry point of a group, and its distribution.

    Attributes:
        value: the module it names; None if the distribution's entry points cannot be read.
    """

    name: str
    distribution: str
    version: str
    value: str | None
    entry: Any = None

    def load(self) -> object:
        """Import the module.

        Raises:
            BaseException: any exception of the module.
        """
        if self.entry is None:
            message = "the entry points of the distribution cannot be read"
            raise ValueError(message)
        return self.entry.load()


def find_offers(group: str) -> list[Offer]:
    """Return all offers of a group, sorted by name; nothing is imported.

    Metadata is read again only after a change of `sys.path` or of one of its directories, such as an installation.
    """
    return list(_read_offers(group, tuple(map(_state_of, sys.path))))


def _state_of(place: str) -> tuple[str, int, int]:
    try:
        found = os.stat(place or os.curdir)  # noqa: PTH116  called at each opening
    except OSError:
        return place, 0, 0
    return place, found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=2)
def _read_offers(group: str, _path: tuple[tuple[str, int, int], ...]) -> list[Offer]:
    from importlib.metadata import entry_points  # noqa: PLC0415  importing it takes as long as all of asm_core

    try:
        offers = [_offer(entry) for entry in entry_points(group=group)]
    except Exception:  # noqa: BLE001  one damaged distribution must not hide the others
        offers = list(_one_by_one(group))
    return sorted(offers, key=lambda offer: offer.name)


def _one_by_one(group: str) -> Iterator[Offer]:
    from importlib.metadata import distributions  # noqa: PLC0415  as above

    seen = set()
    for distribution in distributions():
        name, version = _origin(distribution)
        if name in seen:  # a distribution of the same name is before it on the path
            continue
        seen.add(name)
        try:
            yield from [_offer(entry) for entry in distribution.entry_points.select(group=group)]
        except Exception:  # noqa: BLE001  any error of a damaged file
            if _mentions(distribution, group):
                yield Offer(name=name, distribution=name, version=version, value=None)


def _offer(entry: EntryPoint) -> Offer:
    name, version = _origin(entry.dist)
    return Offer(name=entry.name, distribution=name, version=version, value=entry.value, entry=entry)


def _origin(distribution: Distribution | None) -> tuple[str, str]:
    try:
        return (
            (str(distribution.name or _UNKNOWN), str(distribution.version or _UNKNOWN))
            if distribution
            else (
                _UNKNOWN,
                _UNKNOWN,
            )
        )
    except Exception:  # noqa: BLE001  damaged metadata
        return _UNKNOWN, _UNKNOWN


def _mentions(distribution: Distribution, group: str) -> bool:
    try:
        return group in (distribution.read_text("entry_points.txt") or "")
    except (OSError, ValueError):
        return False
