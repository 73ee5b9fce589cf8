"""Stores with one fault each about activity, users and titles, and the test that is meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.reader import MemoryReader
from asm_core.memory.session_store import MemorySessionStore
from asm_core.values.times import second_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core import Event, Page, Run, Session
    from asm_core.querying.queries import ActiveSession, SessionQuery

changed = msgspec.structs.replace


@caught_by("test_sessions_come_last_active_first_if_nothing_else_is_asked")
class ActivityOfTheLastEvent(MemorySessionStore):
    def _store(self, event: Event) -> None:
        super()._store(event)
        self._state.put(self._state.activity, event.session_id, second_of(event.timestamp))


@caught_by("test_sessions_are_searched_by_user_parent_and_activity")
class ActivityInFractions(MemorySessionStore):
    def _store(self, event: Event) -> None:
        super()._store(event)
        latest = max(self._state.activity[event.session_id], event.timestamp)
        self._state.put(self._state.activity, event.session_id, latest)


@caught_by("test_sessions_are_searched_by_a_part_of_the_title")
class TitlesFoldedInASCII(MemoryReader):
    def passing_sessions(self, query: SessionQuery) -> Iterable[Session]:
        if query.title is None:
            return super().passing_sessions(query)
        found = super().passing_sessions(changed(query, title=None))
        fold = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
        return [session for session in found if query.title in (session.title or "").translate(fold)]


@caught_by("test_pages_are_counted_only_if_asked")
class PagesAlwaysCounted(MemoryQueryAPI):
    def search_sessions(self, **arguments: Any) -> Page[Session]:  # type: ignore[override]
        return super().search_sessions(**{**arguments, "count": True})


@caught_by("test_sessions_of_a_user_are_listed", "test_sessions_are_searched_by_user_parent_and_activity")
class UserIgnored(MemoryReader):
    def passing_sessions(self, query: SessionQuery) -> Iterable[Session]:
        return super().passing_sessions(changed(query, user_ids=None))


@caught_by("test_user_and_title_are_kept")
class TitleOfTheFirstSave(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        old = self._state.sessions.get(session.id)
        return super()._save_session(session if old is None else changed(session, title=old.title), expected)


@caught_by("test_a_session_of_another_user_is_found_with_that_user")
class UserOfTheFirstSave(MemorySessionStore):
    def _put_session(self, session: Session) -> None:
        old = self._state.sessions.get(session.id)
        super()._put_session(session if old is None else changed(session, user_id=old.user_id))


@caught_by("test_a_later_save_is_no_activity")
class SavesAreActivity(MemorySessionStore):
    def _save_session(self, session: Session, expected: int | None) -> Session:
        with self._state.transaction():
            saved = super()._save_session(session, expected)
            self._state.put(self._state.activity, session.id, second_of(session.updated_at))
            return saved


@caught_by("test_batches_and_copies_are_activity")
class CopiesAreNoActivity(MemorySessionStore):
    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        with self._state.transaction():
            before = self._state.activity.get(session.id, second_of(session.created_at))
            count = super()._restore(session, runs, events, last_sequence, replace=replace)
            self._state.put(self._state.activity, session.id, before)
            return count


@caught_by("test_a_repeat_is_no_activity")
class RepeatsAreActivity(MemorySessionStore):
    def _append_one(self, event: Event) -> Event:
        stored = super()._append_one(event)
        latest = max(self._state.activity[event.session_id], second_of(event.timestamp))
        self._state.put(self._state.activity, event.session_id, latest)
        return stored


@caught_by("test_pruning_keeps_the_activity")
class ActivityOfWhatIsLeft(MemoryReader):
    def find_active(self, query: SessionQuery) -> list[ActiveSession]:
        found = super().find_active(query)
        left = {event.session_id for event in self._state.events.values()}
        found.sort(key=lambda one: one.session_id in left, reverse=True)
        return found


@caught_by("test_a_session_touched_between_pages_is_not_shown_twice")
class SmallestFirst(MemoryReader):
    def find_active(self, query: SessionQuery) -> list[ActiveSession]:
        return super().find_active(changed(query, order=changed(query.order, descending=False)))


@caught_by("test_an_undeleted_session_has_its_activity")
class DeletedFoundByActivity(MemoryReader):
    def find_active(self, query: SessionQuery) -> list[ActiveSession]:
        return super().find_active(changed(query, include_deleted=True))
