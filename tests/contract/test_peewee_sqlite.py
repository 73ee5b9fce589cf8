"""The Peewee backend on SQLite passes the contract."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from peewee import SqliteDatabase

import asm_core as asm
from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

    from asm_contract_tests.contract import CallersTransaction


class TestPeeweeOnSQLite(BackendContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: asm.open_backend("peewee", url=url, migrate=True)

    @pytest.fixture
    def callers_transaction(self, url: str) -> CallersTransaction:
        database = SqliteDatabase(url.removeprefix("sqlite:///"))

        @contextmanager
        def begin() -> Iterator[Database]:
            with database.connection_context(), database.atomic():
                yield database

        return begin
