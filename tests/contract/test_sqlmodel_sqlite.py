"""The SQLModel backend on SQLite passes the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

import asm_core as asm
from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asm_contract_tests.contract import CallersTransaction


class TestSQLModelOnSQLite(BackendContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/asm.db"

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: asm.open_backend("sqlmodel", url=url, migrate=True)

    @pytest.fixture
    def callers_transaction(self, url: str) -> Iterator[CallersTransaction]:
        engine = create_engine(url)
        yield engine.begin
        engine.dispose()
