"""Keep what AI agents did: sessions, runs, and every event, in order, for good.

>>> import asm_core as asm
>>> with asm.open_backend("memory") as backend:
...     session = backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
...     event = asm.Event.new(type="message_received", session_id=session.id, data={"content": "hello"})
...     backend.session_store.append_event(event).sequence_number
1
"""

from asm_core.config import StoreConfig, resolve_store
from asm_core.errors import (
    AlreadyExistsError,
    AsmError,
    BrokenBackendError,
    DependencyNotAvailableError,
    IncompatibleBackendError,
    InvalidCursorError,
    InvalidEventTypeError,
    InvalidStatusError,
    InvalidTransitionError,
    MaintenanceError,
    MigrationRequiredError,
    NotFoundError,
    PluginError,
    ProviderError,
    QueryError,
    RunNotFoundError,
    SessionNotFoundError,
    StorageConnectionError,
    StorageError,
    UnknownBackendError,
    UnsupportedCapabilityError,
    ValidationError,
)
from asm_core.models import Artifact, Event, EventType, Run, RunStatus, Session, SessionStatus
from asm_core.pages import Page
from asm_core.plugins import BackendInfo, BackendSpec, hookimpl, installed_backends, open_backend
from asm_core.ports import (
    PORT_VERSION,
    ArtifactRegistry,
    Backend,
    Capability,
    Emit,
    ExecutionResult,
    Maintenance,
    Provider,
    ProviderResult,
    QueryAPI,
    SessionStore,
)
from asm_core.retention import MaintenanceReport, RetentionPolicy
from asm_core.summaries import (
    ArtifactStats,
    CostRow,
    CostSummary,
    SessionExport,
    SessionStats,
    TokenPrice,
    UsageRow,
    UsageSummary,
)

__all__ = [
    "PORT_VERSION",
    "AlreadyExistsError",
    "Artifact",
    "ArtifactRegistry",
    "ArtifactStats",
    "AsmError",
    "Backend",
    "BackendInfo",
    "BackendSpec",
    "BrokenBackendError",
    "Capability",
    "CostRow",
    "CostSummary",
    "DependencyNotAvailableError",
    "Emit",
    "Event",
    "EventType",
    "ExecutionResult",
    "IncompatibleBackendError",
    "InvalidCursorError",
    "InvalidEventTypeError",
    "InvalidStatusError",
    "InvalidTransitionError",
    "Maintenance",
    "MaintenanceError",
    "MaintenanceReport",
    "MigrationRequiredError",
    "NotFoundError",
    "Page",
    "PluginError",
    "Provider",
    "ProviderError",
    "ProviderResult",
    "QueryAPI",
    "QueryError",
    "RetentionPolicy",
    "Run",
    "RunNotFoundError",
    "RunStatus",
    "Session",
    "SessionExport",
    "SessionNotFoundError",
    "SessionStats",
    "SessionStatus",
    "SessionStore",
    "StorageConnectionError",
    "StorageError",
    "StoreConfig",
    "TokenPrice",
    "UnknownBackendError",
    "UnsupportedCapabilityError",
    "UsageRow",
    "UsageSummary",
    "ValidationError",
    "hookimpl",
    "installed_backends",
    "open_backend",
    "resolve_store",
]
