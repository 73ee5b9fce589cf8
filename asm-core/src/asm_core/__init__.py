"""Storage for the sessions, runs and events of AI agents: durable, in order, queryable.

>>> import asm_core as asm
>>> with asm.open_backend("memory") as backend:
...     session = backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
...     event = asm.Event.new(type="message_received", session_id=session.id, data={"content": "hello"})
...     backend.session_store.append_event(event).sequence_number
1
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import (
    AlreadyExistsError,
    AsmError,
    BrokenBackendError,
    BrokenProviderError,
    BusyError,
    DependencyNotAvailableError,
    IncompatibleBackendError,
    IncompatibleProviderError,
    InvalidCursorError,
    InvalidEventTypeError,
    InvalidStatusError,
    InvalidTransitionError,
    LogSetBackError,
    MaintenanceError,
    MigrationRequiredError,
    NotFoundError,
    PluginError,
    PolicyViolationError,
    ProviderAuthenticationError,
    ProviderContentFilteredError,
    ProviderContextLengthError,
    ProviderError,
    ProviderInvalidRequestError,
    ProviderQuotaExceededError,
    ProviderRateLimitedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QueryError,
    RevisionConflictError,
    RunNotFoundError,
    SessionDeletedError,
    SessionNotFoundError,
    StorageConnectionError,
    StorageError,
    UnknownBackendError,
    UnknownProviderError,
    UnsupportedCapabilityError,
    ValidationError,
)

if TYPE_CHECKING:
    from asm_core import aio
    from asm_core.artifacts import DirectoryArtifactStore, FsspecArtifactStore
    from asm_core.commands import CommandProvider
    from asm_core.config import StoreConfig
    from asm_core.conversation import Message, Transcript, read_messages, resolve_references
    from asm_core.memory import MemoryBackend
    from asm_core.models import (
        Artifact,
        Event,
        EventType,
        Run,
        RunStatus,
        Session,
        SessionStatus,
        StateRecord,
        StoredEvent,
        TokenUsage,
    )
    from asm_core.plugins import (
        BackendInfo,
        BackendSpec,
        ProviderInfo,
        ProviderSpec,
        hookimpl,
        installed_backends,
        installed_providers,
        open_backend,
        open_provider,
        resolve_store,
    )
    from asm_core.ports import (
        PORT_VERSION,
        ArtifactBlob,
        ArtifactRegistry,
        Artifacts,
        ArtifactStore,
        AsyncEmit,
        AsyncProvider,
        Backend,
        Capability,
        Emit,
        ExecutionResult,
        Maintenance,
        Ports,
        Provider,
        ProviderCapability,
        ProviderResult,
        QueryAPI,
        SessionStore,
        StateStore,
        TextIndex,
        ToolDecision,
    )
    from asm_core.querying.accounting.prices import TokenPrice
    from asm_core.querying.accounting.summaries import ArtifactStats, SessionExport, SessionStats
    from asm_core.querying.accounting.usage import CostRow, CostSummary, UsageRow, UsageSummary
    from asm_core.querying.pages import Page
    from asm_core.recording.abandoned import close_abandoned
    from asm_core.recording.execution.results import RunResult
    from asm_core.recording.manager import SessionManager
    from asm_core.recording.policies import Budget, ToolPolicy
    from asm_core.recording.streams import RunStream
    from asm_core.redaction import Redactor
    from asm_core.retention import MaintenanceReport, RetentionPolicy
    from asm_core.retrying import RetryPolicy
    from asm_core.tracing import Tracing
    from asm_core.transfer import copy_store, dump_session, dump_state, load_session, load_state
    from asm_core.values.user_namespaces import user_namespace

__all__ = [
    "PORT_VERSION",
    "AlreadyExistsError",
    "Artifact",
    "ArtifactBlob",
    "ArtifactRegistry",
    "ArtifactStats",
    "ArtifactStore",
    "Artifacts",
    "AsmError",
    "AsyncEmit",
    "AsyncProvider",
    "Backend",
    "BackendInfo",
    "BackendSpec",
    "BrokenBackendError",
    "BrokenProviderError",
    "Budget",
    "BusyError",
    "Capability",
    "CommandProvider",
    "CostRow",
    "CostSummary",
    "DependencyNotAvailableError",
    "DirectoryArtifactStore",
    "Emit",
    "Event",
    "EventType",
    "ExecutionResult",
    "FsspecArtifactStore",
    "IncompatibleBackendError",
    "IncompatibleProviderError",
    "InvalidCursorError",
    "InvalidEventTypeError",
    "InvalidStatusError",
    "InvalidTransitionError",
    "LogSetBackError",
    "Maintenance",
    "MaintenanceError",
    "MaintenanceReport",
    "MemoryBackend",
    "Message",
    "MigrationRequiredError",
    "NotFoundError",
    "Page",
    "PluginError",
    "PolicyViolationError",
    "Ports",
    "Provider",
    "ProviderAuthenticationError",
    "ProviderCapability",
    "ProviderContentFilteredError",
    "ProviderContextLengthError",
    "ProviderError",
    "ProviderInfo",
    "ProviderInvalidRequestError",
    "ProviderQuotaExceededError",
    "ProviderRateLimitedError",
    "ProviderResult",
    "ProviderSpec",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "QueryAPI",
    "QueryError",
    "Redactor",
    "RetentionPolicy",
    "RetryPolicy",
    "RevisionConflictError",
    "Run",
    "RunNotFoundError",
    "RunResult",
    "RunStatus",
    "RunStream",
    "Session",
    "SessionDeletedError",
    "SessionExport",
    "SessionManager",
    "SessionNotFoundError",
    "SessionStats",
    "SessionStatus",
    "SessionStore",
    "StateRecord",
    "StateStore",
    "StorageConnectionError",
    "StorageError",
    "StoreConfig",
    "StoredEvent",
    "TextIndex",
    "TokenPrice",
    "TokenUsage",
    "ToolDecision",
    "ToolPolicy",
    "Tracing",
    "Transcript",
    "UnknownBackendError",
    "UnknownProviderError",
    "UnsupportedCapabilityError",
    "UsageRow",
    "UsageSummary",
    "ValidationError",
    "aio",
    "close_abandoned",
    "copy_store",
    "dump_session",
    "dump_state",
    "hookimpl",
    "installed_backends",
    "installed_providers",
    "load_session",
    "load_state",
    "open_backend",
    "open_provider",
    "read_messages",
    "resolve_references",
    "resolve_store",
    "user_namespace",
]

_NAMES: Final = {
    "artifacts": "DirectoryArtifactStore FsspecArtifactStore",
    "commands": "CommandProvider",
    "config": "StoreConfig",
    "conversation": "Message Transcript read_messages resolve_references",
    "memory": "MemoryBackend",
    "models": "Artifact Event EventType Run RunStatus Session SessionStatus StateRecord StoredEvent TokenUsage",
    "plugins": (
        "BackendInfo BackendSpec ProviderInfo ProviderSpec hookimpl installed_backends installed_providers "
        "open_backend open_provider resolve_store"
    ),
    "ports": (
        "ArtifactBlob ArtifactRegistry ArtifactStore Artifacts AsyncEmit AsyncProvider Backend Capability "
        "Emit ExecutionResult Maintenance PORT_VERSION Ports Provider ProviderCapability ProviderResult "
        "QueryAPI SessionStore StateStore TextIndex ToolDecision"
    ),
    "querying.pages": "Page",
    "querying.accounting.prices": "TokenPrice",
    "querying.accounting.summaries": "ArtifactStats SessionExport SessionStats",
    "querying.accounting.usage": "CostRow CostSummary UsageRow UsageSummary",
    "recording.abandoned": "close_abandoned",
    "recording.execution.results": "RunResult",
    "recording.manager": "SessionManager",
    "recording.policies": "Budget ToolPolicy",
    "redaction": "Redactor",
    "recording.streams": "RunStream",
    "retention": "MaintenanceReport RetentionPolicy",
    "retrying": "RetryPolicy",
    "tracing": "Tracing",
    "transfer": "copy_store dump_session dump_state load_session load_state",
    "values.user_namespaces": "user_namespace",
}
"""The names of each module that is imported when one of them is used: a program pays only for what it uses."""
_HOMES: Final = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    module = f"{__name__}.{name}"
    try:
        return import_module(module)  # `asm_core.aio`, `asm_core.models`, …
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
