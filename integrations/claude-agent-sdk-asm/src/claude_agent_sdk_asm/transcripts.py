"""Transcripts as sessions of the store. Its calls block."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from claude_agent_sdk import SessionKey, fold_session_summary

from asm_core import (
    AlreadyExistsError,
    Event,
    NotFoundError,
    RevisionConflictError,
    Session,
    SessionNotFoundError,
    SessionStatus,
)
from asm_core.integrating import composed_id, escape_payload, restore_payload
from claude_agent_sdk_asm.entries import NO_ENTRY, entry_of, event_fields
from claude_agent_sdk_asm.keys import key_metadata, project_tag, session_id, stored_parts
from claude_agent_sdk_asm.usage import count, entry_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asm_core import Backend, QueryAPI, SessionStore

_SUMMARY: Final = "claude_summary"
_PROMPT: Final = "claude_prompt"
_PAGE: Final = 500
_TITLE: Final = 80
_MAIN: Final = 2
"""The number of parts in the key of a main transcript."""


class Transcripts:
    """The transcripts of all projects in one store. A key is given by its parts."""

    def __init__(self, backend: Backend, agent_id: str, user_id: str | None) -> None:
        """Read and write in `backend`; the other arguments are those of sessions that are created."""
        self._backend = backend
        self._store = backend.session_store
        self._agent_id = agent_id
        self._user_id = user_id

    # -- writing ---------------------------------------------------------------------------------------------------

    def append(self, parts: tuple[str, ...], entries: Sequence[Any]) -> None:
        """Append entries, all or none; those whose ``uuid`` is stored are omitted."""
        stored = session_id(parts)
        events = _events(stored, entries)
        while True:
            try:
                self._append(parts, stored, entries, events)
            except SessionNotFoundError:
                self._create(parts, stored)
            except AlreadyExistsError:
                # Another entry has the same uuid. Each pass omits what is stored; a concurrent append may add more.
                entries, events = self._without_stored(stored, entries, events)
                if not events:
                    return
            else:
                return

    def _append(self, parts: tuple[str, ...], stored: str, entries: Sequence[Any], events: Sequence[Event]) -> None:
        with self._backend.transaction() as ports:
            store = ports.session_store
            before = store.get_latest_sequence(stored)
            numbers = [event.sequence_number for event in store.append_events(events)]
            # The append has locked the log, so no other one changes the summary and the runs before the commit.
            new = [entry for entry, number in zip(entries, numbers, strict=True) if number > before]
            if new:
                self._note(store, parts, stored, new)

    def _note(self, store: SessionStore, parts: tuple[str, ...], stored: str, new: Sequence[Any]) -> None:
        """Update the session for new entries: its time, the SDK's summary, its title, the tokens of its runs."""
        session = store.get_session(stored)
        metadata = dict(session.metadata)
        prompt = metadata.get(_PROMPT) or ""
        last = count(store, stored, prompt, new)
        if last != prompt:
            metadata[_PROMPT] = last
        title = session.title
        if len(parts) == _MAIN:
            summary = fold_session_summary(_summary(session, parts), _key(parts), list(new))
            metadata[_SUMMARY] = escape_payload(summary["data"])
            title = _title(summary["data"]) or title
        # Two appends in one millisecond have different times.
        now = datetime.fromtimestamp(max(_mtime(session) + 1, int(datetime.now(UTC).timestamp() * 1000)) / 1000, UTC)
        store.save_session(msgspec.structs.replace(session, metadata=metadata, title=title, updated_at=now))

    def _create(self, parts: tuple[str, ...], stored: str) -> None:
        is_main = len(parts) == _MAIN
        session = Session.new(
            id=stored,
            agent_id=self._agent_id,
            user_id=self._user_id,
            status=SessionStatus.ACTIVE,
            parent_session_id=None if is_main else session_id(parts[:_MAIN]),
            metadata=key_metadata(parts),
            tags=[project_tag(parts[0])] if is_main else [],
        )
        with contextlib.suppress(RevisionConflictError):  # created meanwhile
            self._store.save_session(session, expected_revision=0)

    def _without_stored(
        self, stored: str, entries: Sequence[Any], events: Sequence[Event]
    ) -> tuple[list[Any], list[Event]]:
        """Return the entries, and their events, whose ids are not stored; of a repeated id the first."""
        found: dict[str, tuple[Any, Event]] = {}
        for entry, event in zip(entries, events, strict=True):
            if event.id not in found and not self._has(event.id, stored):
                found[event.id] = (entry, event)
        return [entry for entry, _ in found.values()], [event for _, event in found.values()]

    def _has(self, event_id: str, stored: str) -> bool:
        try:
            self._store.get_event(event_id, session_id=stored)
        except NotFoundError:
            return False
        return True

    # -- reading ---------------------------------------------------------------------------------------------------

    def load(self, parts: tuple[str, ...]) -> list[Any] | None:
        """Return all entries in the order in which they were appended; None if nothing was."""
        stored = session_id(parts)
        try:
            if self._store.get_session(stored).deleted_at is not None:
                return None
            events = self._store.get_events(stored)
        except SessionNotFoundError:
            return None
        return [entry for event in events if (entry := entry_of(event)) is not NO_ENTRY] or None

    def mains(self, project_key: str) -> list[tuple[tuple[str, ...], Session]]:
        """Return the keys and the sessions of the main transcripts of a project."""
        found = _found(self._backend.query_api, tags=project_tag(project_key))
        return [each for each in found if each[0][:-1] == (project_key,)]

    def subs(self, parts: tuple[str, ...]) -> list[tuple[tuple[str, ...], Session]]:
        """Return the keys and the sessions of the subagents' transcripts of a session."""
        found = _found(self._backend.query_api, parent_session_id=session_id(parts))
        return [each for each in found if each[0][:_MAIN] == parts]

    # -- removing --------------------------------------------------------------------------------------------------

    def delete(self, parts: tuple[str, ...]) -> None:
        """Delete a transcript; with a main one, those of its subagents, all or none."""
        with self._backend.transaction() as ports:
            ids = [session_id(parts)]
            if len(parts) == _MAIN:
                found = _found(ports.query_api, parent_session_id=ids[0], include_deleted=True)
                ids += [session.id for key, session in found if key[:_MAIN] == parts]
            for stored in ids:
                ports.session_store.delete_session(stored)


def _found(search: QueryAPI, **filters: Any) -> Iterator[tuple[tuple[str, ...], Session]]:
    """Yield the sessions that are transcripts, with their keys."""
    cursor: str | None = None
    while True:
        page = search.search_sessions(**filters, order_by="created_at_asc", limit=_PAGE, cursor=cursor)
        for session in page.items:
            parts = stored_parts(session)
            if parts is not None:
                yield parts, session
        cursor = page.cursor
        if cursor is None:
            return


def listed(session: Session, parts: tuple[str, ...]) -> dict[str, Any]:
    """Return what the SDK lists of a main transcript."""
    return {"session_id": parts[1], "mtime": _mtime(session)}


def summary_of(session: Session, parts: tuple[str, ...]) -> dict[str, Any]:
    """Return the SDK's summary of a main transcript."""
    return {**listed(session, parts), "data": restore_payload(session.metadata.get(_SUMMARY, {}))}


def _summary(session: Session, parts: tuple[str, ...]) -> Any:
    return summary_of(session, parts) if _SUMMARY in session.metadata else None


def _events(stored: str, entries: Sequence[Any]) -> list[Event]:
    names: dict[str, str] = {}
    events = []
    for entry in entries:
        kind, data, metadata = event_fields(entry, names)
        uuid = entry.get("uuid") if isinstance(entry, dict) else None
        event_id = composed_id("evt", stored, uuid) if isinstance(uuid, str) else None
        event = Event.new(
            id=event_id, type=kind, session_id=stored, data=data, metadata=metadata, timestamp=entry_time(entry)
        )
        events.append(event)
    return events


def _key(parts: tuple[str, ...]) -> SessionKey:
    return {"project_key": parts[0], "session_id": parts[1]}


def _mtime(session: Session) -> int:
    """Return the time of the last write in milliseconds, as the SDK counts."""
    return round(session.updated_at.timestamp() * 1000)


def _title(data: dict[str, Any]) -> str | None:
    for name in ("custom_title", "ai_title", "summary_hint", "first_prompt"):
        text = data.get(name)
        if isinstance(text, str) and text.strip() and text.isprintable():
            return text[:_TITLE]
    return None
