"""The in-memory backend, for tests of what core decides alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.contract import Contract
from asm_core.memory import MemoryBackend, State

if TYPE_CHECKING:
    from asm_contract_tests.contract import OpenBackend


class OnMemory(Contract):
    @pytest.fixture
    def open_backend(self) -> OpenBackend:
        state = State()
        return lambda: MemoryBackend(state)
