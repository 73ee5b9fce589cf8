"""Conversations as sessions, and their entries as events of type ``pydantic_ai.entry``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter
from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, UserPromptPart

import asm_core as asm
from asm_core.integrating import composed_id, escape_payload, readable, restore_payload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_ai.messages import ModelMessage

KIND: Final = "pydantic_ai"
"""The first word of ids, the tag of sessions, and the key of their metadata."""
ENTRY: Final = "pydantic_ai.entry"
_TITLE: Final = 80
_Record: Final[TypeAdapter[ConversationRecord]] = TypeAdapter(ConversationRecord)


def session_id_of(conversation_id: str) -> str:
    """Return the session of a conversation."""
    return composed_id(KIND, conversation_id)


def entry_key(entry_id: str) -> str:
    """Return the correlation id of an entry, which its copies in forks have too."""
    return composed_id(ENTRY, entry_id)


def user_of(scope: str | None) -> str | None:
    """Return the user of the sessions of a scope: the scope itself, if it is a valid name of a user."""
    if scope is None:
        return None
    composed = composed_id("scope", scope)
    # A text that no id refuses is composed to itself.
    is_plain = composed == f"scope:{scope}" and scope and not scope.startswith("scope:")
    return scope if is_plain else composed


def session_of(
    record: ConversationRecord, entries: Iterable[ConversationEntry], agent_id: str, stored: asm.Session | None
) -> asm.Session:
    """Return the session of a record: a new one, or the stored one with the record."""
    kept = {} if stored is None else stored.metadata
    fields = {
        "user_id": user_of(record.scope),
        "metadata": {**kept, KIND: _escaped_record(record)},
        "updated_at": record.updated_at,
    }
    if stored is not None:
        return asm.Session.from_dict({**stored.to_dict(), **fields, "updated_at": record.updated_at.isoformat()})
    return asm.Session.new(
        id=session_id_of(record.conversation_id),
        agent_id=agent_id,
        title=_title(entries),
        status="active",
        parent_session_id=None if record.forked_from is None else session_id_of(record.forked_from),
        tags=(KIND,),
        created_at=record.updated_at,
        **fields,  # type: ignore[arg-type]
    )


def record_of(session: asm.Session) -> ConversationRecord | None:
    """Return the record of a session, or None if it is no live session of a conversation."""
    stored = session.metadata.get(KIND)
    if stored is None or session.deleted_at is not None:
        return None
    return _Record.validate_python(restore_payload(stored))


def entry_event(conversation_id: str, entry: ConversationEntry) -> asm.Event:
    """Return the event of an entry in the log of a conversation."""
    return asm.Event.new(
        type=ENTRY,
        id=composed_id(ENTRY, conversation_id, entry.id),
        session_id=session_id_of(conversation_id),
        run_id=run_id_of(conversation_id, entry.message),
        correlation_id=entry_key(entry.id),
        data={
            "id": escape_payload(entry.id),
            "parent_id": escape_payload(entry.parent_id),
            "kind": entry.kind,
            "message": _escaped_message(entry.message),
        },
    )


def entry_of(event: asm.Event) -> ConversationEntry:
    """Return the entry of an event."""
    data = event.data
    [message] = ModelMessagesTypeAdapter.validate_python([restore_payload(data["message"])])
    return ConversationEntry(
        id=restore_payload(data["id"]), parent_id=parent_of(event), message=message, kind=data["kind"]
    )


def entry_id_of(event: asm.Event) -> str:
    """Return the id of the entry of an event."""
    entry_id: str = restore_payload(event.data["id"])
    return entry_id


def parent_of(event: asm.Event) -> str | None:
    """Return the id of the entry before that of an event."""
    parent_id: str | None = restore_payload(event.data["parent_id"])
    return parent_id


def run_id_of(conversation_id: str, message: ModelMessage) -> str | None:
    """Return the run of a message."""
    return None if message.run_id is None else composed_id("pydantic_ai.run", conversation_id, message.run_id)


def _escaped_record(record: ConversationRecord) -> Any:
    try:
        return escape_payload(_Record.dump_python(record))
    except asm.ValidationError:
        return escape_payload(_Record.dump_python(record, mode="json"))


def _escaped_message(message: ModelMessage) -> Any:
    try:
        return escape_payload(ModelMessagesTypeAdapter.dump_python([message])[0])
    except asm.ValidationError:
        # Values that only the framework can convert to JSON, such as a set that a tool returned.
        return escape_payload(ModelMessagesTypeAdapter.dump_python([message], mode="json")[0])


def _title(entries: Iterable[ConversationEntry]) -> str | None:
    """Return the beginning of the first text of the user."""
    for entry in entries:
        for part in entry.message.parts if isinstance(entry.message, ModelRequest) else ():
            if isinstance(part, UserPromptPart) and isinstance(part.content, str):
                words = " ".join(part.content.replace("\0", " ").split())
                title: str = readable(words[:_TITLE])
                return title or None
    return None
