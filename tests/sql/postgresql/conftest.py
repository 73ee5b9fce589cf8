"""A connection to a database of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def url(postgresql_url: str) -> str:
    """Return how to connect to a database of the test's own."""
    return postgresql_url


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    """Connect to the test's database, in autocommit mode."""
    with psycopg.connect(url, autocommit=True) as connected:
        yield connected
