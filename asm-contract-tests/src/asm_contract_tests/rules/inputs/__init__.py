"""The contract of what may be stored, and of what may be given to the ports at all."""

from asm_contract_tests.rules.inputs.fuzz import FuzzContract
from asm_contract_tests.rules.inputs.hostile import HostileTextsContract
from asm_contract_tests.rules.inputs.names import NamesContract
from asm_contract_tests.rules.inputs.roundtrip import RoundTripContract

__all__ = ["HostileInputContract", "RoundTripContract"]


class HostileInputContract(NamesContract, HostileTextsContract, FuzzContract):
    """Input of every kind is stored verbatim or refused, never executed, and no foreign error leaves a port (G15)."""
