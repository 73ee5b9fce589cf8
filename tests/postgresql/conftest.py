"""A connection to a database of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from postgresql_server import postgresql_database, postgresql_server, postgresql_url  # noqa: F401  fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def url(postgresql_url: str) -> str:  # noqa: F811  the fixture
    """Return how to connect to a database of the test's own."""
    return postgresql_url


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    """Connect to the test's database, in autocommit mode."""
    with psycopg.connect(url, autocommit=True) as connected:
        yield connected
