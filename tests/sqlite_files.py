"""SQLite databases for the tests: copies of one that was migrated, because a migration takes longer than most tests."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with the newest schema and no rows; nothing may change it."""
    path = tmp_path_factory.mktemp("migrated") / "asm.db"
    asm.open_backend("sqlmodel", url=f"sqlite:///{path}", migrate=True).close()
    return path


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, migrated_file: Path, tmp_path: Path) -> str:
    """Return the URL of a database of the test's own, with empty tables; a test of migrations begins without a file."""
    path = tmp_path / "asm.db"
    if not request.function.__module__.endswith("migrations"):
        shutil.copy(migrated_file, path)
    return f"sqlite:///{path}"
