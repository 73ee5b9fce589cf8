"""Contract tests for backends of the agent session manager.

::

    import pytest from asm_contract_tests import BackendContract

    class TestAcme(BackendContract):
        @pytest.fixture
        def open_backend(self, tmp_path):
            return lambda: AcmeBackend(f"acme:///{tmp_path}")

The public names are loaded at first use: this package contains the pytest plugin, which pytest must load before the
assertions of the suite are rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asm_contract_tests.contract import Contract, OpenBackend
    from asm_contract_tests.rules import (
        ArtifactRegistryContract,
        ArtifactStoreContract,
        BackendContract,
        ConcurrencyContract,
        HandlesContract,
        HostileInputContract,
        MaintenanceContract,
        OpenArtifactStore,
        ProcessesContract,
        QueryAPIContract,
        RoundTripContract,
        SessionStoreContract,
        StateMachineContract,
        TransactionsContract,
        WaitingContract,
    )

__all__ = [
    "ArtifactRegistryContract",
    "ArtifactStoreContract",
    "BackendContract",
    "ConcurrencyContract",
    "Contract",
    "HandlesContract",
    "HostileInputContract",
    "MaintenanceContract",
    "OpenArtifactStore",
    "OpenBackend",
    "ProcessesContract",
    "QueryAPIContract",
    "RoundTripContract",
    "SessionStoreContract",
    "StateMachineContract",
    "TransactionsContract",
    "WaitingContract",
]


def __getattr__(name: str) -> object:
    """Return a public name of the suite."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from asm_contract_tests import contract, rules  # noqa: PLC0415  see above

    return getattr(contract if hasattr(contract, name) else rules, name)
