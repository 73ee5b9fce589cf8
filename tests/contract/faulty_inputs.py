"""Backends that take hostile input amiss, each in its own way, and the test that is meant to catch it."""

from __future__ import annotations

from copy import deepcopy
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core.memory.artifact_registry import MemoryArtifactRegistry
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.reader import MemoryReader
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core import Artifact, Event, Page, Session
    from asm_core.querying.queries import SessionQuery
    from asm_core.retention import ExpiredSessions

changed = msgspec.structs.replace


@caught_by("test_hostile_text_is_refused_or_stored_as_it_is")
class KeysTrimmed(MemoryArtifactRegistry):
    def _by_key(self, key: str) -> Artifact | None:
        return super()._by_key(key.strip())


@caught_by("test_hostile_text_is_refused_or_stored_as_it_is")
class TextFormatted(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        return super()._save_session(
            changed(session, metadata={key.replace("%%", "%"): session.metadata[key] for key in session.metadata}),
            expected,
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
    def _save_session(self, session: Session, expected: int | None) -> Session:
        return super()._save_session(changed(session, tags=session.tags[:1000]), expected)


@caught_by("test_a_filter_finds_by_as_many_tags_as_it_may_name")
class FewTagsLookedFor(MemoryReader):
    def passing_sessions(self, query: SessionQuery) -> Iterable[Session]:
        return super().passing_sessions(changed(query, tags=query.tags[:999]))


@caught_by("test_no_public_method_of_a_port_is_overridden")
class TagsWithoutLimit(MemoryQueryAPI):
    def search_sessions(self, **arguments: Any) -> Page[Session]:  # type: ignore[override]
        return super().search_sessions(**{**arguments, "tags": None})


@caught_by("test_a_policy_may_name_thousands_of_exempt_tags")
class FewExemptTagsObeyed(MemoryRetentionStore):
    def find_expired(self, query: ExpiredSessions) -> list[str]:
        return super().find_expired(changed(query, exempt=changed(query.exempt, tags=query.exempt.tags[:999])))


@caught_by("test_no_public_method_of_a_port_is_overridden")
class KeysMerged(MemorySessionStore):
    def append_event(self, event: Event) -> Event:
        return super().append_event(changed(event, data=_merged(event.data)))


def _merged(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.value if isinstance(key, Enum) else key: _merged(item) for key, item in value.items()}
    return [_merged(item) for item in value] if isinstance(value, list) else value


@caught_by("test_a_payload_of_any_depth_is_refused_or_stored_as_it_is")
class WalksByRecursion(MemorySessionStore):
    def save_session(self, session: Session) -> Session:
        return super().save_session(changed(session, metadata=deepcopy(session.metadata)))
