"""A partitioned PostgreSQL passes the contract, with the plain append, as a distributed one has both."""

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

PARTITIONS = 3


class TestPeeweeOnPartitionsPlainly(BackendContract):
    @pytest.fixture
    def open_backend(self, partitioned_url: str) -> OpenBackend:
        def opened() -> asm.Backend:
            backend = asm.open_backend("peewee", url=partitioned_url, migrate=True, append="plain")
            backend.migrate(partitions=PARTITIONS)
            return backend

        return opened

    @pytest.fixture
    def callers_transaction(self, partitioned_url: str) -> CallersTransaction:
        database = PostgresqlDatabase(partitioned_url, prefer_psycopg3=True)

        @contextmanager
        def begin() -> Iterator[Database]:
            with database.connection_context(), database.atomic():
                yield database

        return begin
