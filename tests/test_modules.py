"""Modules: those of tests have names of their own, and a package of core has few."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent
MOST = 12
"""The largest number of modules in a package: their names are read at one glance."""


def test_names_of_test_modules_are_unique() -> None:
    names = Counter(path.name for path in ROOT.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []  # pytest imports them without their directory


def test_packages_of_core_have_few_modules() -> None:
    modules = [*ROOT.parent.glob("asm-core/src/**/*.py"), *ROOT.parent.glob("asm-backend-*/src/**/*.py")]
    counts = Counter(str(path.parent) for path in modules if path.name != "__init__.py")
    assert {package: count for package, count in counts.items() if count > MOST} == {}
