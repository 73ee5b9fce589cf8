"""The contract of the session store."""

from asm_contract_tests.rules.session_store.appending import AppendContract
from asm_contract_tests.rules.session_store.batches import BatchesContract
from asm_contract_tests.rules.session_store.custom_types import CustomTypesContract
from asm_contract_tests.rules.session_store.deleting import DeleteSessionContract
from asm_contract_tests.rules.session_store.erasing import EraseContract
from asm_contract_tests.rules.session_store.flushing import FlushContract
from asm_contract_tests.rules.session_store.following import FollowEventsContract
from asm_contract_tests.rules.session_store.forking import ForkSessionContract
from asm_contract_tests.rules.session_store.last_events import LastEventsContract
from asm_contract_tests.rules.session_store.listing import ListSessionsContract
from asm_contract_tests.rules.session_store.reading import GetEventsContract
from asm_contract_tests.rules.session_store.repeats import RepeatsContract
from asm_contract_tests.rules.session_store.restoring import RestoreContract
from asm_contract_tests.rules.session_store.revisions import RevisionContract
from asm_contract_tests.rules.session_store.run_listing import ListRunsContract
from asm_contract_tests.rules.session_store.runs import RunsContract
from asm_contract_tests.rules.session_store.sessions import SessionsContract
from asm_contract_tests.rules.session_store.setbacks import SetBackContract
from asm_contract_tests.rules.session_store.waiting import WaitForEventsContract

__all__ = ["SessionStoreContract", "WaitingContract"]


class WaitingContract(WaitForEventsContract, FollowEventsContract):
    """Waiting for events, and following them (G17)."""


class SessionStoreContract(
    SessionsContract,
    RevisionContract,
    ListSessionsContract,
    DeleteSessionContract,
    RunsContract,
    ListRunsContract,
    AppendContract,
    RepeatsContract,
    BatchesContract,
    FlushContract,
    GetEventsContract,
    LastEventsContract,
    CustomTypesContract,
    ForkSessionContract,
    WaitingContract,
    SetBackContract,
    RestoreContract,
    EraseContract,
):
    """Everything that the port `SessionStore` promises."""
