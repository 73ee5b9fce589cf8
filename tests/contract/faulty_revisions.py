"""Session stores that lose updates, each by one fault, and the test that is meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core import RevisionConflictError
from asm_core.event_log.updating import Expected
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from asm_core import Event, Run, Session

changed = msgspec.structs.replace


@caught_by("test_a_stale_save_is_refused", "test_an_update_meets_another_save")
class ExpectationIgnored(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:  # noqa: ARG002
        return super()._save_session(session, None)


@caught_by("test_a_stale_save_of_a_run_is_refused")
class ExpectationOfARunIgnored(MemorySessionStore):
    def _save_run(self, run: Run, expected: int | None) -> Run:  # noqa: ARG002
        return super()._save_run(run, None)


@caught_by("test_revision_zero_only_creates")
class ZeroTakenForNothing(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        return super()._save_session(session, expected or None)


@caught_by("test_a_missing_session_is_not_created_by_a_later_revision")
class MissingSessionCreated(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        return super()._save_session(session, expected if session.id in self._state.sessions else None)


@caught_by("test_each_save_raises_the_revision")
class RevisionOfTheCallerKept(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        saved = super()._save_session(session, expected)
        kept = changed(saved, revision=session.revision or 1)
        with self._state.transaction():
            self._state.put(self._state.sessions, session.id, kept)
        return kept


@caught_by("test_a_repeated_save_succeeds", "test_a_repeated_flush_succeeds")
class RepeatRefused(MemorySessionStore):
    def save_session(self, session: Session, *, expected_revision: int | None = None) -> Session:
        return self._save_session(session.checked(), expected_revision)

    def flush(self, result: Any) -> list[Event]:
        expected = Expected(result.expected_session_revision, result.expected_run_revision)
        return self._flush(result.session.checked(), result.run, list(result.events), expected)


@caught_by("test_another_change_is_no_repeat")
class AnyNextRevisionIsARepeat(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        try:
            return super()._save_session(session, expected)
        except RevisionConflictError as error:
            if expected and error.details["revision"] == expected + 1:
                return self._state.sessions[session.id]
            raise


@caught_by("test_equal_changes_are_no_repeats_of_each_other")
class EqualUpdateTakenForARepeat(MemorySessionStore):
    def _save_run(self, run: Run, expected: int | None) -> Run:
        stored = self._state.runs.get(run.id)
        if stored is not None and expected == stored.revision - 1 and changed(run, revision=stored.revision) == stored:
            return stored
        return super()._save_run(run, expected)


@caught_by("test_a_stale_flush_stores_nothing")
class FlushIgnoresRevisions(MemorySessionStore):
    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[Event]:  # noqa: ARG002
        return super()._flush(session, run, events, Expected())
