"""A store with a text index passes the contract: what every write leaves, searches find by the index."""

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


class TestPeeweeOnIndexedSQLite(BackendContract):
    @pytest.fixture
    def open_backend(self, sqlite_url: str) -> OpenBackend:
        return indexed(sqlite_url)

    @pytest.fixture
    def callers_transaction(self, sqlite_url: str) -> CallersTransaction:
        return in_transactions(SqliteDatabase(sqlite_url.removeprefix("sqlite:///")))
