"""The SQLModel backend on SQLite passes contracts through `asm_core.aio`: the same tests, awaited.

These contracts have what an event loop changes: writes, waits and transactions. The rules for synchronous
calls in tasks and contexts do not apply: `test_transactions.py` has those of `asm_core.aio`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from awaited import AwaitedBackend
from sqlalchemy import create_engine

import asm_core as asm
from asm_contract_tests import ArtifactRegistryContract, OpenBackend, SessionStoreContract, WaitingContract
from asm_contract_tests.rules.backend.joining import JoinContract
from asm_contract_tests.rules.backend.nesting import NestingContract
from asm_contract_tests.rules.backend.transactions import OwnTransactionsContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asm_contract_tests.contract import CallersTransaction


class TestAwaited(
    SessionStoreContract,
    WaitingContract,
    OwnTransactionsContract,
    NestingContract,
    JoinContract,
    ArtifactRegistryContract,
):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/asm.db"

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: AwaitedBackend(asm.open_backend("sqlmodel", url=url, migrate=True))

    @pytest.fixture
    def callers_transaction(self, url: str) -> Iterator[CallersTransaction]:
        engine = create_engine(url)
        yield engine.begin
        engine.dispose()
