"""What the tests of all integrations share: a store of each database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asm_core

# Fixtures of the project's own tests, and not its conftest.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from postgresql_server import postgresql_database, postgresql_server, postgresql_url  # noqa: F401  fixtures
from sqlite_files import migrated_file, sqlite_url  # noqa: F401  fixtures


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty store, on a database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def backend(store_url: str) -> Iterator[asm_core.Backend]:
    """Return a backend on that store."""
    import asm_core  # noqa: PLC0415  a test of imports may come first

    with asm_core.open_backend("sqlmodel", url=store_url, migrate=True) as opened:
        yield opened
