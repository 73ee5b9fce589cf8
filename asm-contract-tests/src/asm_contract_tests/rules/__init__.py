"""The rules of the ports, a file for each subject."""

from asm_contract_tests.rules.artifact_registry import ArtifactRegistryContract
from asm_contract_tests.rules.artifact_store import ArtifactStoreContract, OpenArtifactStore
from asm_contract_tests.rules.backend import (
    ConcurrencyContract,
    HandlesContract,
    ProcessesContract,
    TransactionsContract,
)
from asm_contract_tests.rules.inputs import HostileInputContract, RoundTripContract
from asm_contract_tests.rules.machine import StateMachineContract
from asm_contract_tests.rules.maintenance import MaintenanceContract
from asm_contract_tests.rules.query_api import QueryAPIContract
from asm_contract_tests.rules.session_store import SessionStoreContract, WaitingContract
from asm_contract_tests.rules.state_store import StateStoreContract

__all__ = [
    "ArtifactRegistryContract",
    "ArtifactStoreContract",
    "BackendContract",
    "ConcurrencyContract",
    "HandlesContract",
    "HostileInputContract",
    "MaintenanceContract",
    "OpenArtifactStore",
    "ProcessesContract",
    "QueryAPIContract",
    "RoundTripContract",
    "SessionStoreContract",
    "StateMachineContract",
    "StateStoreContract",
    "TransactionsContract",
    "WaitingContract",
]


class BackendContract(
    SessionStoreContract,
    QueryAPIContract,
    MaintenanceContract,
    ArtifactRegistryContract,
    StateStoreContract,
    HandlesContract,
    TransactionsContract,
    ConcurrencyContract,
    ProcessesContract,
    RoundTripContract,
    HostileInputContract,
    StateMachineContract,
):
    """Everything that a backend promises."""
