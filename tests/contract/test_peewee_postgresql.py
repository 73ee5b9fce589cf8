"""The Peewee backend on PostgreSQL passes the contract."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from peewee import PostgresqlDatabase

import asm_core as asm
from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

    from asm_contract_tests.contract import CallersTransaction


class TestPeeweeOnPostgreSQL(BackendContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: asm.open_backend("peewee", url=url, migrate=True)

    @pytest.fixture
    def callers_transaction(self, url: str) -> CallersTransaction:
        database = PostgresqlDatabase(url, prefer_psycopg3=True)

        @contextmanager
        def begin() -> Iterator[Database]:
            with database.connection_context(), database.atomic():
                yield database

        return begin
