"""A store with a text index passes the contract of searches, and of all that writes events."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from peewee import PostgresqlDatabase, SqliteDatabase

import asm_core as asm
from asm_contract_tests import MaintenanceContract, OpenBackend, SessionStoreContract
from asm_contract_tests.rules.query_api.texts import SearchTextContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

    from asm_contract_tests.contract import CallersTransaction


def indexed(url: str) -> OpenBackend:
    def opened() -> asm.Backend:
        backend = asm.open_backend("peewee", url=url, migrate=True)
        backend.migrate(text_search=True)
        return backend

    return opened


def in_transactions(database: Database) -> CallersTransaction:
    @contextmanager
    def begin() -> Iterator[Database]:
        with database.connection_context(), database.atomic():
            yield database

    return begin


class TestPeeweeOnIndexedSQLite(SearchTextContract, SessionStoreContract, MaintenanceContract):
    @pytest.fixture
    def open_backend(self, sqlite_url: str) -> OpenBackend:
        return indexed(sqlite_url)

    @pytest.fixture
    def callers_transaction(self, sqlite_url: str) -> CallersTransaction:
        return in_transactions(SqliteDatabase(sqlite_url.removeprefix("sqlite:///")))


class TestPeeweeOnIndexedPostgreSQL(SearchTextContract):
    @pytest.fixture
    def open_backend(self, indexed_url: str) -> OpenBackend:
        return indexed(indexed_url)

    @pytest.fixture
    def callers_transaction(self, indexed_url: str) -> CallersTransaction:
        return in_transactions(PostgresqlDatabase(indexed_url, prefer_psycopg3=True))
