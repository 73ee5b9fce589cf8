"""The Pony backend on SQLite passes the contract."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pony.orm import Database, db_session

import asm_core as asm
from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_contract_tests.contract import CallersTransaction


class TestPonyOnSQLite(BackendContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: asm.open_backend("pony", url=url, migrate=True)

    @pytest.fixture
    def callers_transaction(self, url: str) -> Iterator[CallersTransaction]:
        database = Database("sqlite", url.removeprefix("sqlite:///"), create_db=True)

        @contextmanager
        def begin() -> Iterator[Database]:
            with db_session:
                yield database

        yield begin
        database.disconnect()
