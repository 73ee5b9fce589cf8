"""The synchronous storage of conversations: each in a session of its own, with all entries of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic_ai.conversation_store import ConversationConflict, ConversationEntry, ConversationRecord

import asm_core as asm
from pydantic_ai_asm.messages import message_events, save_runs
from pydantic_ai_asm.records import (
    ENTRY,
    KIND,
    entry_event,
    entry_id_of,
    entry_key,
    entry_of,
    parent_of,
    record_of,
    session_id_of,
    session_of,
    user_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asm_core.ports import Ports

_PAGE: Final = 100


class Conversations:
    """Conversations in a backend.

    A fork has its own copies of the entries that it shares. So a conversation can be deleted, exported or pruned, and
    its user erased, without regard to others.
    """

    def __init__(self, backend: asm.Backend, agent_id: str) -> None:
        """Store in `backend`, as sessions of the agent `agent_id`."""
        self._backend = backend
        self._agent_id = agent_id

    def read_record(self, conversation_id: str) -> ConversationRecord | None:
        """Return the record of a conversation, or None."""
        session = _session(self._backend, conversation_id)
        return None if session is None else record_of(session)

    def read_records(self, scope: str | None, limit: int | None) -> list[ConversationRecord]:
        """Return the last saved records, of one scope or of all."""
        records: list[ConversationRecord] = []
        cursor: str | None = None
        while limit is None or len(records) < limit:
            page = self._backend.query_api.search_sessions(
                tags=KIND, user_id=user_of(scope), order_by="updated_at_desc", limit=_PAGE, cursor=cursor
            )
            found = [record for session in page.items if (record := record_of(session)) is not None]
            records += [record for record in found if scope is None or record.scope == scope]
            cursor = page.cursor
            if cursor is None:
                break
        return records[:limit]

    def write_record(
        self,
        record: ConversationRecord,
        new_entries: Sequence[ConversationEntry],
        expected_revision: str | None,
    ) -> None:
        """Store a record and its new entries, or nothing.

        Raises:
            ConversationConflict: the stored record has another revision, or an entry does not exist.
        """
        conversation_id = record.conversation_id
        try:
            with self._backend.transaction() as ports:
                stored = _session(ports, conversation_id)
                _check(stored, conversation_id, expected_revision)
                shared = _missing_entries(ports, record, new_entries)
                session = session_of(record, [*shared, *new_entries], self._agent_id, stored)
                store = ports.session_store
                store.save_session(session, expected_revision=0 if stored is None else stored.revision)
                save_runs(store, conversation_id, new_entries)
                store.append_events(_events(conversation_id, shared, new_entries))
        except (asm.RevisionConflictError, asm.SessionDeletedError, asm.SessionNotFoundError) as error:
            raise ConversationConflict(conversation_id) from error

    def delete_record(self, conversation_id: str, expected_revision: str) -> None:
        """Delete a conversation with its entries.

        Raises:
            ConversationConflict: the stored record has another revision, or there is none.
        """
        try:
            with self._backend.transaction() as ports:
                stored = _session(ports, conversation_id)
                _check(stored, conversation_id, expected_revision)
                if stored is not None:
                    # The save makes a writer that read the same revision fail.
                    ports.session_store.save_session(stored, expected_revision=stored.revision)
                    ports.session_store.delete_session(stored.id)
        except asm.RevisionConflictError as error:
            raise ConversationConflict(conversation_id) from error

    def read_entry(self, entry_id: str) -> ConversationEntry:
        """Return an entry.

        Raises:
            KeyError: it does not exist.
        """
        event = _find_entry(self._backend, entry_id)
        if event is None:
            raise KeyError(entry_id)
        return entry_of(event)

    def read_history(self, head_id: str | None, limit: int | None) -> list[ConversationEntry]:
        """Return the entries up to `head_id`, or only the last `limit` of them.

        Raises:
            KeyError: one of them does not exist.
        """
        return [] if head_id is None or limit == 0 else _history(self._backend, head_id, limit)


def _session(ports: Ports, conversation_id: str) -> asm.Session | None:
    try:
        return ports.session_store.get_session(session_id_of(conversation_id))
    except asm.SessionNotFoundError:
        return None


def _check(stored: asm.Session | None, conversation_id: str, expected_revision: str | None) -> None:
    record = None if stored is None else record_of(stored)
    if (None if record is None else record.revision) != expected_revision:
        raise ConversationConflict(conversation_id)


def _events(
    conversation_id: str, shared: list[ConversationEntry], new_entries: Sequence[ConversationEntry]
) -> Iterator[asm.Event]:
    for entry in shared:
        yield from message_events(conversation_id, entry, has_usage=False)
        yield entry_event(conversation_id, entry)
    for entry in new_entries:
        yield from message_events(conversation_id, entry)
        yield entry_event(conversation_id, entry)


def _missing_entries(
    ports: Ports, record: ConversationRecord, new_entries: Sequence[ConversationEntry]
) -> list[ConversationEntry]:
    """Return the entries of the history, and of the branches that it left, which only other conversations have.

    Raises:
        ConversationConflict: no conversation has one of them.
    """
    new = {entry.id: entry for entry in new_entries}
    missing: dict[str, ConversationEntry] = {}
    for tip in (record.head_id, *record.branches):
        entry_id = tip
        while entry_id in new:
            entry_id = new[entry_id].parent_id
        if entry_id is None or entry_id in missing:
            continue
        if _find_entry(ports, entry_id, session_id_of(record.conversation_id)) is None:
            try:
                missing.update({entry.id: entry for entry in _history(ports, entry_id, None)})
            except KeyError as error:
                raise ConversationConflict(record.conversation_id) from error
    return list(missing.values())


def _find_entry(ports: Ports, entry_id: str, session_id: str | None = None) -> asm.Event | None:
    """Return an event of an entry, of any conversation or of the one in a session."""
    page = ports.query_api.search_events(
        session_ids=session_id, types=ENTRY, correlation_id=entry_key(entry_id), limit=1
    )
    return page.items[0] if page.items else None


def _history(ports: Ports, head_id: str, limit: int | None) -> list[ConversationEntry]:
    """Return the last entries up to `head_id`; its session has all of them, each after the one before it."""
    head = _find_entry(ports, head_id)
    if head is None or head.sequence_number is None:
        raise KeyError(head_id)
    entries = [entry_of(head)]
    before = head.sequence_number
    wanted = entries[0].parent_id
    size = _PAGE if limit is None else min(limit, _PAGE)
    while wanted is not None and (limit is None or len(entries) < limit):
        page = ports.session_store.get_events(head.session_id, type=ENTRY, before=before, order="desc", limit=size)
        if not page:
            raise KeyError(wanted)
        size = min(2 * size, _PAGE)  # entries of other branches may be between
        before = page[-1].sequence_number
        for event in page:
            if entry_id_of(event) == wanted and (limit is None or len(entries) < limit):
                entries.append(entry_of(event))
                wanted = parent_of(event)
    entries.reverse()
    return entries
