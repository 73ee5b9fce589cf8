from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine, make_url

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL


@pytest.fixture
def database() -> str:
    """Return which database it is; a module that proves something of both has parameters here."""
    return "sqlite"


@pytest.fixture
def url(request: pytest.FixtureRequest, database: str) -> str:
    return str(request.getfixturevalue(f"{database}_url"))


@pytest.fixture
def backend(url: str) -> Iterator[asm.Backend]:
    with asm.open_backend("sqlmodel", url=url, migrate=True) as opened:
        yield opened


@pytest.fixture
def engine_url(url: str) -> URL:
    """Return how an engine of the application's connects to the same database."""
    place = make_url(url)
    return place.set(drivername="postgresql+psycopg") if place.get_backend_name() == "postgresql" else place


@pytest.fixture
def engine(engine_url: URL) -> Iterator[Engine]:
    """Make an engine of the application's, on the same database."""
    made = create_engine(engine_url)
    yield made
    made.dispose()
