"""The contract of backends as a whole."""

from asm_contract_tests.rules.backend.handles import BackendShapeContract, MigrationsContract, SeveralHandlesContract
from asm_contract_tests.rules.backend.processes import ProcessesContract
from asm_contract_tests.rules.backend.threads import ConcurrencyContract
from asm_contract_tests.rules.backend.transactions import TransactionsContract

__all__ = ["ConcurrencyContract", "HandlesContract", "ProcessesContract", "TransactionsContract"]


class HandlesContract(BackendShapeContract, SeveralHandlesContract, MigrationsContract):
    """A backend, its capabilities, and several handles on one store."""
