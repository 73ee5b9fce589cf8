"""The environment of a measurement."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.places import Place


def sql_backends() -> dict[str, str]:
    """Return the distributions of the installed backends that run on SQL databases, by the backend's name."""
    return {
        found.name: found.distribution
        for found in asm.installed_backends()
        if {"sqlite", "postgresql"} & {database.lower() for database in found.databases}
    }


def environment(places: Iterable[Place]) -> dict[str, str]:
    """Return the versions of all components that affect the figures."""
    names = sorted({name for distribution in sql_backends().values() for name in _requirements(distribution)})
    return {
        "system": f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{place.database: place.version() for place in places},
        **{name: found for name in ("msgspec", *names) if (found := _version(name))},
    }


def _requirements(distribution: str) -> list[str]:
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires(distribution) or ()]
    # A wheel of its own has the driver's fast half.
    return [name for name in names if name != "asm-core"] + ["psycopg-binary"]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
