"""The groups that pruning removes together: an event, or a tool call with its result."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from asm_core.models import TERMINAL_RUN_STATUSES, TERMINAL_SESSION_STATUSES, EventType
from asm_core.retention.tool_calls import TOOL_CALL_TYPES, ToolCalls

if TYPE_CHECKING:
    from asm_core.retention.questions import EventMark
    from asm_core.retention.store import RetentionStore

    Group = tuple[EventMark, ...]

_KEPT: Final = 1024
"""The number of logs and of runs in the cache: at least as many as a stretch of all events can have."""


class Groups:
    """Finds the events that are removed together."""

    def __init__(self, store: RetentionStore) -> None:
        """Read from `store`."""
        self._store = store
        self._calls_of = lru_cache(_KEPT)(partial(ToolCalls, store))
        self._has_ended = lru_cache(_KEPT)(self._look_whether_ended)

    def of(self, mark: EventMark) -> Group | None:
        """Return the group of an event, by number; None if it must stay, because a result may still come.

        A call without a result may be removed after its run has ended, or its session if that run is not stored. A call
        without a run may be removed, and so may a result without a call.
        """
        if mark.type not in TOOL_CALL_TYPES:
            return (mark,)
        calls = self._calls_of(mark.session_id)
        partner = calls.partner_of(mark)
        if partner is None and mark.type == EventType.TOOL_CALL_STARTED:
            if not self._has_ended(mark.session_id, mark.run_id):
                return None
            # In this order: events that were appended before the end of the run are found now.
            partner = calls.look_again(mark)
        if partner is None:
            return (mark,)
        return (mark, partner) if mark.sequence_number < partner.sequence_number else (partner, mark)

    def forget(self, group: Group) -> None:
        """Release a processed group."""
        if len(group) > 1:
            calls = self._calls_of(group[0].session_id)
            for mark in group:
                calls.forget(mark)

    def _look_whether_ended(self, session_id: str, run_id: str | None) -> bool:
        if run_id is None:
            return True
        run = self._store.load_run(run_id)
        if run is not None:
            return run.status in TERMINAL_RUN_STATUSES
        session = self._store.load_session(session_id)
        return session is None or session.status in TERMINAL_SESSION_STATUSES
