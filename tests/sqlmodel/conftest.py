from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/asm.db"


@pytest.fixture
def backend(url: str) -> Iterator[asm.Backend]:
    with asm.open_backend("sqlmodel", url=url, migrate=True) as opened:
        yield opened


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Make an engine of the application's, on the same file."""
    made = create_engine(url)
    yield made
    made.dispose()
