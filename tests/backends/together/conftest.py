"""One database for several backends."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database that is empty or has nothing but empty tables."""
    return str(request.getfixturevalue(f"{request.param}_url"))
