"""The contract of backends as a whole."""

from asm_contract_tests.rules.backend.bound_ports import BoundPortsContract
from asm_contract_tests.rules.backend.handles import BackendShapeContract, SeveralHandlesContract
from asm_contract_tests.rules.backend.joining import JoinContract
from asm_contract_tests.rules.backend.migrations import MigrationsContract
from asm_contract_tests.rules.backend.nesting import NestingContract
from asm_contract_tests.rules.backend.processes import ProcessesContract
from asm_contract_tests.rules.backend.tasks import TasksContract
from asm_contract_tests.rules.backend.threads import ConcurrencyContract
from asm_contract_tests.rules.backend.transactions import OwnTransactionsContract

__all__ = ["ConcurrencyContract", "HandlesContract", "ProcessesContract", "TransactionsContract"]


class HandlesContract(BackendShapeContract, SeveralHandlesContract, MigrationsContract):
    """A backend, its capabilities, and several handles on one store."""


class TransactionsContract(OwnTransactionsContract, NestingContract, JoinContract, BoundPortsContract, TasksContract):
    """What all ports do inside a transaction, their own or the caller's, is one atomic unit (G16)."""
