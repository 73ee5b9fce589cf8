from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pony.orm import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., Database]]:
    """Return what makes a Pony database of the application's."""
    databases = []

    def made() -> Database:
        if url.startswith("sqlite"):
            databases.append(Database("sqlite", url.removeprefix("sqlite:///"), create_db=True))
        else:
            databases.append(Database("postgres", url))
        return databases[-1]

    yield made
    for database in databases:
        database.disconnect()
