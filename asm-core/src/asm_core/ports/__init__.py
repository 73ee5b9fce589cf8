"""The ports: the interface between applications and backends.

The public methods of a port are complete. `SessionStore`, `QueryAPI` and `ArtifactRegistry` stand on a few abstract
methods, whose names begin with an underscore. An adapter implements these, a `Reader` and a `RetentionStore`. Ports do
not assume tables.
"""

from asm_core.ports.artifact_registry import ArtifactRegistry
from asm_core.ports.artifact_store import ArtifactBlob, ArtifactStore, Content
from asm_core.ports.artifacts import Artifacts
from asm_core.ports.backend import PORT_VERSION, Backend, Capability, Ports, TextIndex
from asm_core.ports.maintenance import Maintenance
from asm_core.ports.provider import (
    AnyProvider,
    AsyncEmit,
    AsyncProvider,
    Emit,
    EmitMany,
    Provider,
    ProviderCapability,
    ProviderResult,
    ToolDecision,
)
from asm_core.ports.query_api import QueryAPI
from asm_core.ports.session_store import ExecutionResult, SessionStore
from asm_core.ports.state_store import StateStore
from asm_core.querying.heads import Head
from asm_core.querying.reader import Reader
from asm_core.retention import Planned, Progress, RetentionStore

__all__ = [
    "PORT_VERSION",
    "AnyProvider",
    "ArtifactBlob",
    "ArtifactRegistry",
    "ArtifactStore",
    "Artifacts",
    "AsyncEmit",
    "AsyncProvider",
    "Backend",
    "Capability",
    "Content",
    "Emit",
    "EmitMany",
    "ExecutionResult",
    "Head",
    "Maintenance",
    "Planned",
    "Ports",
    "Progress",
    "Provider",
    "ProviderCapability",
    "ProviderResult",
    "QueryAPI",
    "Reader",
    "RetentionStore",
    "SessionStore",
    "StateStore",
    "TextIndex",
    "ToolDecision",
]
