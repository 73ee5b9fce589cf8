"""The sentences in which a health check reports inconsistent logs, the same on every backend."""

from __future__ import annotations

from typing import Final

from asm_core.models import EventType

RUN_ENDS: Final = (EventType.RUN_CANCELLED, EventType.RUN_COMPLETED, EventType.RUN_FAILED, EventType.RUN_TIMEOUT)
SESSION_ENDS: Final = (EventType.SESSION_CANCELLED, EventType.SESSION_COMPLETED, EventType.SESSION_FAILED)
SESSION_BEGINNINGS: Final = (EventType.SESSION_RESUMED, EventType.SESSION_STARTED)

SHOWN: Final = 5
"""The largest number of cases of one fault that a health check lists."""

RUN_ENDED_TWICE: Final = "Run {0} has {1} terminal events; a run ends once."
SESSION_ENDED_TWICE: Final = (
    "Session {0} ends again with event number {1} ({2}), but was not resumed after it ended with number {3}."
)
EVENTS_ELSEWHERE: Final = "Run {0} belongs to session {1}, but session {2} has events of it."
