"""The contract of the state store."""

from asm_contract_tests.rules.state_store.listing import ListStateContract
from asm_contract_tests.rules.state_store.processes import StateProcessesContract
from asm_contract_tests.rules.state_store.putting import PutStateContract
from asm_contract_tests.rules.state_store.restoring import RestoreStateContract

__all__ = ["StateStoreContract"]


class StateStoreContract(PutStateContract, ListStateContract, RestoreStateContract, StateProcessesContract):
    """Everything that the port `StateStore` promises."""
