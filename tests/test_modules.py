"""Modules of tests have names of their own: pytest imports them by name, without their directory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent


def test_names_of_test_modules_are_unique() -> None:
    names = Counter(path.name for path in ROOT.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
