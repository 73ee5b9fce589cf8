"""A store that is not SQL at all passes the contract: nothing in the ports says table or row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from file_backend import FileBackend

from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from pathlib import Path

    from asm_contract_tests.contract import CallersTransaction
    from asm_core import Backend


class TestFile(BackendContract):
    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> OpenBackend:
        return lambda: FileBackend(tmp_path / "store")

    @pytest.fixture
    def callers_transaction(self, backend: Backend) -> CallersTransaction:
        return backend.transaction
