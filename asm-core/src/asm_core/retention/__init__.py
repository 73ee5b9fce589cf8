"""Retention: the policy, and the maintenance pass that applies it."""

from asm_core.retention.policy import PROTECTED_EVENT_TYPES, Compaction, MaintenanceReport, RetentionPolicy
from asm_core.retention.questions import (
    DeletedSessions,
    EventMark,
    Exemption,
    ExpiredSessions,
    Found,
    OversizedSessions,
    PrunableSessions,
    RemovableArtifacts,
    Removal,
    Stretch,
    key_fields,
)
from asm_core.retention.steps import Steps
from asm_core.retention.store import Planned, Progress, RetentionStore

__all__ = [
    "PROTECTED_EVENT_TYPES",
    "Compaction",
    "DeletedSessions",
    "EventMark",
    "Exemption",
    "ExpiredSessions",
    "Found",
    "MaintenanceReport",
    "OversizedSessions",
    "Planned",
    "Progress",
    "PrunableSessions",
    "RemovableArtifacts",
    "Removal",
    "RetentionPolicy",
    "RetentionStore",
    "Steps",
    "Stretch",
    "key_fields",
]
