"""The session store of the Claude Agent SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from claude_agent_sdk import SessionStore

import asm_core
from claude_agent_sdk_asm.keys import parts_of, session_id
from claude_agent_sdk_asm.transcripts import Transcripts, listed, summary_of

if TYPE_CHECKING:
    from claude_agent_sdk import (
        SessionKey,
        SessionListSubkeysKey,
        SessionStoreEntry,
        SessionStoreListEntry,
        SessionSummaryEntry,
    )


class AsmSessionStore(SessionStore):
    """Keeps transcripts of all projects in a store, with their messages, calls of tools and tokens.

    A call that is cancelled has changed nothing, or has ended before the cancellation is raised. One object serves any
    number of sessions, and any number of processes may use the same store.
    """

    def __init__(
        self,
        backend: asm_core.aio.Backend | asm_core.Backend,
        *,
        agent_id: str = "claude-agent-sdk",
        user_id: str | None = None,
    ) -> None:
        """Read and write in an open backend, of which nothing is closed.

        Args:
            backend: the backend.
            agent_id: the agent of sessions that are created.
            user_id: their user.
        """
        self._backend = asm_core.aio.wrap(backend)
        self._transcripts = Transcripts(self._backend.sync, agent_id, user_id)

    @staticmethod
    def stored_id(key: SessionKey) -> str:
        """Return the id of a transcript's session in the store, for `asm show` and the ports."""
        return session_id(parts_of(key))

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Append entries, all or none. Those whose ``uuid`` is stored are omitted, and the others are kept."""
        if entries:
            await self._backend.run(self._transcripts.append, parts_of(key), list(entries))

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """Return all entries in the order in which they were appended; None if nothing was."""
        return await self._backend.run(self._transcripts.load, parts_of(key))

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """Return the ids of the sessions of a project, and the times of their last appends."""
        found = await self._backend.run(self._transcripts.mains, project_key)
        return [cast("SessionStoreListEntry", listed(session, parts)) for parts, session in found]

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """Return the summaries of the sessions of a project, as the SDK folds them."""
        found = await self._backend.run(self._transcripts.mains, project_key)
        return [cast("SessionSummaryEntry", summary_of(session, parts)) for parts, session in found]

    async def delete(self, key: SessionKey) -> None:
        """Delete a transcript permanently; a main one together with those of its subagents, all or none."""
        await self._backend.run(self._transcripts.delete, parts_of(key))

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """Return the paths of the subagents' transcripts of a session."""
        parts: tuple[Any, ...] = (key["project_key"], key["session_id"])
        return [found[-1] for found, _ in await self._backend.run(self._transcripts.subs, parts)]
