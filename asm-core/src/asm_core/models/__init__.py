"""The models: frozen records of sessions, runs, events, artifacts and state."""

from asm_core.models.artifact import Artifact
from asm_core.models.base import Model
from asm_core.models.event import Event, StoredEvent
from asm_core.models.run import Run
from asm_core.models.session import Session
from asm_core.models.state_record import StateRecord
from asm_core.models.statuses import (
    EVENT_TYPES,
    RUN_STATUSES,
    SESSION_STATUSES,
    TERMINAL_RUN_STATUSES,
    TERMINAL_SESSION_STATUSES,
    EventType,
    RunStatus,
    SessionStatus,
)
from asm_core.models.token_usage import TOKEN_COUNTS, TokenUsage

__all__ = [
    "EVENT_TYPES",
    "RUN_STATUSES",
    "SESSION_STATUSES",
    "TERMINAL_RUN_STATUSES",
    "TERMINAL_SESSION_STATUSES",
    "TOKEN_COUNTS",
    "Artifact",
    "Event",
    "EventType",
    "Model",
    "Run",
    "RunStatus",
    "Session",
    "SessionStatus",
    "StateRecord",
    "StoredEvent",
    "TokenUsage",
]
