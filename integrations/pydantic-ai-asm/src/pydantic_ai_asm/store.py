"""The store of conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord, ConversationStore

import asm_core as asm
from pydantic_ai_asm.conversations import Conversations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class AsmConversationStore(ConversationStore):
    """Keeps conversations in a backend: a session for each, with its history in the log.

    Each message becomes events too, with tool calls and the usage of models, so that `asm sessions`, `asm show` and
    `asm usage` show the conversations. The scope of a conversation is the user of its session.

    A write is whole or undone, also if its task is cancelled. `delete` deletes the entries of the conversation; forks
    keep their own copies of those that they share.

    Attributes:
        aio: the backend's asynchronous form.
    """

    def __init__(
        self, backend: asm.Backend | asm.aio.Backend, *, agent_id: str = "pydantic-ai", owns: bool = False
    ) -> None:
        """Store in `backend`, which the caller opened and migrated.

        Args:
            backend: a backend, or its asynchronous form.
            agent_id: the agent of the sessions.
            owns: whether `aclose` closes the backend.
        """
        self.aio = asm.aio.wrap(backend, owns=owns)
        self._conversations = Conversations(self.aio.sync, agent_id)

    @classmethod
    def open(cls, url: str | None = None, *, backend: str | None = None, agent_id: str = "pydantic-ai") -> Self:
        """Open a store, migrate it if needed, and return its conversations; `aclose` or ``async with`` closes it.

        Args:
            url: the database; what is not given comes from the configuration, as for `asm_core.open_backend`.
            backend: the name of the backend.
            agent_id: the agent of the sessions.
        """
        return cls(asm.open_backend(backend, url=url, migrate=True), agent_id=agent_id, owns=True)

    async def aclose(self) -> None:
        """Wait for the calls under way, and close the backend if `open` opened it."""
        await self.aio.close()

    async def __aenter__(self) -> Self:
        """Return the store."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        """Return the record of a conversation, or None."""
        return await self.aio.run(self._conversations.read_record, conversation_id)

    async def read_records(self, *, scope: str | None = None, limit: int | None = None) -> Sequence[ConversationRecord]:
        """Return the last saved records, of one scope or of all."""
        return await self.aio.run(self._conversations.read_records, scope, limit)

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        """Store a record and its new entries, or nothing.

        Raises:
            ConversationConflict: the stored record has another revision, or an entry of the history does not exist.
        """
        await self.aio.run(self._conversations.write_record, record, list(new_entries), expected_revision)

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        """Delete a conversation with its entries; forks keep theirs.

        Raises:
            ConversationConflict: the stored record has another revision, or there is none.
        """
        await self.aio.run(self._conversations.delete_record, conversation_id, expected_revision)

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        """Return an entry.

        Raises:
            KeyError: it does not exist.
        """
        return await self.aio.run(self._conversations.read_entry, entry_id)

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        """Return the entries up to `head_id`, in order, or only the last `limit` of them.

        Raises:
            KeyError: one of them does not exist.
        """
        return await self.aio.run(self._conversations.read_history, head_id, limit)
