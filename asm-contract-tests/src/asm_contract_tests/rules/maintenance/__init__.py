"""The contract of maintenance."""

from asm_contract_tests.rules.maintenance.archive import ArchiveContract
from asm_contract_tests.rules.maintenance.compaction import CompactionContract
from asm_contract_tests.rules.maintenance.deletion import SoftDeletedContract
from asm_contract_tests.rules.maintenance.erasing import EraseUserContract
from asm_contract_tests.rules.maintenance.exemption import ExemptionContract
from asm_contract_tests.rules.maintenance.expiry import HardDeleteContract, SoftDeleteContract
from asm_contract_tests.rules.maintenance.health import HealthContract
from asm_contract_tests.rules.maintenance.orphans import OrphansContract
from asm_contract_tests.rules.maintenance.passes import PassesContract
from asm_contract_tests.rules.maintenance.pruning import PruneSessionContract, PruneTotalContract
from asm_contract_tests.rules.maintenance.records import RecordsContract
from asm_contract_tests.rules.maintenance.removal import RemovalContract
from asm_contract_tests.rules.maintenance.tool_calls import ToolCallsContract

__all__ = ["MaintenanceContract"]


class MaintenanceContract(
    SoftDeleteContract,
    HardDeleteContract,
    SoftDeletedContract,
    PruneSessionContract,
    PruneTotalContract,
    ExemptionContract,
    ArchiveContract,
    OrphansContract,
    RecordsContract,
    PassesContract,
    RemovalContract,
    ToolCallsContract,
    HealthContract,
    CompactionContract,
    EraseUserContract,
):
    """Everything that the port `Maintenance` promises."""
