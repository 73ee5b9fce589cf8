"""The contract of the query API."""

from asm_contract_tests.rules.query_api.activity import ActivityContract
from asm_contract_tests.rules.query_api.bounded import BoundedContract
from asm_contract_tests.rules.query_api.costs import CostsContract
from asm_contract_tests.rules.query_api.cursors import CursorsContract
from asm_contract_tests.rules.query_api.events import SearchEventsContract
from asm_contract_tests.rules.query_api.exporting import ExportContract
from asm_contract_tests.rules.query_api.grouping import UsageGroupsContract
from asm_contract_tests.rules.query_api.paging import PagingContract
from asm_contract_tests.rules.query_api.runs import SearchRunsContract
from asm_contract_tests.rules.query_api.sessions import SearchSessionsContract
from asm_contract_tests.rules.query_api.texts import SearchTextContract
from asm_contract_tests.rules.query_api.totals import SessionStatsContract, UsageContract

__all__ = ["QueryAPIContract"]


class QueryAPIContract(
    SearchSessionsContract,
    ActivityContract,
    SearchRunsContract,
    SearchEventsContract,
    SearchTextContract,
    PagingContract,
    BoundedContract,
    CursorsContract,
    SessionStatsContract,
    UsageContract,
    CostsContract,
    UsageGroupsContract,
    ExportContract,
):
    """Everything that the port `QueryAPI` promises."""
