"""The in-memory backend passes the contract."""

from __future__ import annotations

import pytest

from asm_contract_tests import BackendContract, OpenBackend
from asm_core.memory import MemoryBackend, State


class TestMemory(BackendContract):
    @pytest.fixture
    def open_backend(self) -> OpenBackend:
        state = State()
        return lambda: MemoryBackend(state)
