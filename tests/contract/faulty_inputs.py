"""Backends that take hostile input amiss, each in its own way, and the test that is meant to catch it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import msgspec
from fault_registry import caught_by

from asm_core.memory.artifact_registry import MemoryArtifactRegistry
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from asm_core import Artifact, Event, Session

changed = msgspec.structs.replace


@caught_by("test_hostile_text_is_refused_or_stored_as_it_is")
class KeysTrimmed(MemoryArtifactRegistry):
    def _by_key(self, key: str) -> Artifact | None:
        return super()._by_key(key.strip())


@caught_by("test_hostile_text_is_refused_or_stored_as_it_is")
class TextFormatted(MemorySessionStore):
    def _save_session(self, session: Session) -> None:
        super()._save_session(
            changed(session, metadata={key.replace("%%", "%"): session.metadata[key] for key in session.metadata})
        )


@caught_by("test_hostile_text_is_refused_or_stored_as_it_is")
class NamesAsPatterns(MemorySessionStore):
    def _delete_session(self, session_id: str) -> None:
        for known in list(self._state.sessions):
            if "%" in session_id or known == session_id:
                super()._delete_session(known)


@caught_by("test_a_huge_payload_is_refused_or_stored_as_it_is")
class HugeTextsCut(MemorySessionStore):
    def _store(self, event: Event) -> None:
        data = {key[:65_535]: value[:65_535] if isinstance(value, str) else value for key, value in event.data.items()}
        super()._store(changed(event, data=data))


@caught_by("test_thousands_of_tags_are_stored_and_found")
class ManyTagsCut(MemorySessionStore):
    def _save_session(self, session: Session) -> None:
        super()._save_session(changed(session, tags=session.tags[:1000]))


@caught_by("test_a_payload_of_any_depth_is_refused_or_stored_as_it_is")
class WalksByRecursion(MemorySessionStore):
    def save_session(self, session: Session) -> Session:
        return super().save_session(changed(session, metadata=deepcopy(session.metadata)))
