from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spans import Spans

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture(params=["memory", "sqlmodel"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    options = {"url": f"sqlite:///{tmp_path}/asm.db", "migrate": True} if request.param == "sqlmodel" else {}
    with asm.open_backend(request.param, **options) as opened:
        yield opened
