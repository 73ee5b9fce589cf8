"""One database for several backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that is empty or has nothing but empty tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/asm.db"
    return str(request.getfixturevalue("postgresql_url"))
