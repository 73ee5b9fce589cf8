"""The ports: the interface between applications and backends.

Each port is an abstract class. Its public methods are complete, and stand on a few abstract methods whose names begin
with an underscore. An adapter implements only those. Ports do not assume tables.
"""

from asm_core.ports.artifact_registry import ArtifactRegistry
from asm_core.ports.backend import PORT_VERSION, Backend, Capability
from asm_core.ports.maintenance import Maintenance, Progress
from asm_core.ports.provider import Emit, Provider, ProviderResult
from asm_core.ports.query_api import QueryAPI
from asm_core.ports.session_store import ExecutionResult, SessionStore
from asm_core.querying.heads import Head
from asm_core.querying.reader import Reader

__all__ = [
    "PORT_VERSION",
    "ArtifactRegistry",
    "Backend",
    "Capability",
    "Emit",
    "ExecutionResult",
    "Head",
    "Maintenance",
    "Progress",
    "Provider",
    "ProviderResult",
    "QueryAPI",
    "Reader",
    "SessionStore",
]
