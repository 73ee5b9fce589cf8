"""The SQLModel backend passes the contract through `asm_core.aio`: the same tests, awaited.

Calls of a thread that has a transaction open join it, as the tests expect of synchronous ports: `awaited.py` uses the
ports that the transaction yielded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from awaited import AwaitedBackend
from sqlalchemy import create_engine, make_url

import asm_core as asm
from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_contract_tests.contract import CallersTransaction

_FACADE = "the ports of the test are no adapters, but call those of asm_core.aio"
_JOINS = (
    "test_a_task_does_not_join_the_transaction_of_another",
    "test_a_call_that_would_join_by_accident_raises",
    "test_overlapping_transactions_of_tasks_are_whole_or_not_at_all",
    "test_a_context_that_inherited_a_transaction_does_not_join_it",
)
"""The ports of the test join by thread instead. `test_transactions.py` has the rules of `asm_core.aio`."""


class AwaitedContract(BackendContract):
    known_gaps: ClassVar = {
        "test_a_backend_has_the_ports": _FACADE,
        "test_no_public_method_of_a_port_is_overridden": _FACADE,
    }

    @pytest.fixture(autouse=True)
    def _leave_out(self, request: pytest.FixtureRequest) -> None:
        if request.node.originalname in _JOINS:
            pytest.skip("the ports of the test join by thread")


class TestAwaitedOnSQLite(AwaitedContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: AwaitedBackend(asm.open_backend("sqlmodel", url=url, migrate=True))

    @pytest.fixture
    def callers_transaction(self, url: str) -> Iterator[CallersTransaction]:
        engine = create_engine(url)
        yield engine.begin
        engine.dispose()


class TestAwaitedOnPostgreSQL(AwaitedContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: AwaitedBackend(asm.open_backend("sqlmodel", url=url, migrate=True))

    @pytest.fixture
    def callers_transaction(self, url: str) -> Iterator[CallersTransaction]:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        yield engine.begin
        engine.dispose()
