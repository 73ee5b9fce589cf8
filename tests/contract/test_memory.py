"""The in-memory backend passes the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_contract_tests import BackendContract, OpenBackend
from asm_core.memory import MemoryBackend, State

if TYPE_CHECKING:
    from asm_contract_tests.contract import CallersTransaction
    from asm_core import Backend


class TestMemory(BackendContract):
    @pytest.fixture
    def open_backend(self) -> OpenBackend:
        state = State()
        return lambda: MemoryBackend(state)

    @pytest.fixture
    def callers_transaction(self, backend: Backend) -> CallersTransaction:
        return backend.transaction
