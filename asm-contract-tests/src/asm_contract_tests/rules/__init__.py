"""The rules of the ports, a file for each subject."""

from asm_contract_tests.rules.session_store import SessionStoreContract, WaitingContract
