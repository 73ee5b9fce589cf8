"""A store that is not SQL at all passes the contract: nothing in the ports says table or row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from file_backend import FileBackend

from asm_contract_tests import BackendContract, OpenBackend

if TYPE_CHECKING:
    from pathlib import Path


class TestFile(BackendContract):
    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> OpenBackend:
        return lambda: FileBackend(tmp_path / "store")
