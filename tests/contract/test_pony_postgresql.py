"""The Pony backend on PostgreSQL passes the contract."""

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


class TestPonyOnPostgreSQL(BackendContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: asm.open_backend("pony", url=url, migrate=True)

    @pytest.fixture
    def callers_transaction(self, url: str) -> Iterator[CallersTransaction]:
        database = Database("postgres", url)

        @contextmanager
        def begin() -> Iterator[Database]:
            with db_session:
                yield database

        yield begin
        database.disconnect()
