from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pony.orm import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/asm.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def make(url: str) -> Callable[..., Database]:
    """Return what makes a Pony database of the application's."""

    def made() -> Database:
        if url.startswith("sqlite"):
            return Database("sqlite", url.removeprefix("sqlite:///"), create_db=True)
        return Database("postgres", url)

    return made
