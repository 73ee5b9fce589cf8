"""A session of the OpenAI Agents SDK."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from agents.memory import SessionABC, SessionSettings

import asm_core
from openai_agents_asm.log import Log
from openai_agents_asm.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agents import RunContextWrapper, TResponseInputItem


class AsmSession(SessionABC):
    """The history of one conversation in a store, with its messages, calls of tools and tokens.

    A call that is cancelled has changed nothing, or has ended before the cancellation is raised. Objects for the same
    session may be used at the same time, in any number of processes.

    Attributes:
        session_id: the id of the session in the framework.
        session_settings: the settings; `limit` is the default of `get_items`.
    """

    def __init__(
        self,
        session_id: str,
        backend: asm_core.aio.Backend | asm_core.Backend,
        *,
        agent_id: str = "openai-agents",
        user_id: str | None = None,
        model: str | None = None,
        provider: str = "openai",
        session_settings: SessionSettings | None = None,
    ) -> None:
        """Read and write the session with this id. It is created with its first items.

        Args:
            session_id: any text; the store's id of the session is `stored_id`.
            backend: an open backend, of which the session closes nothing.
            agent_id: the agent of a session that is created.
            user_id: its user.
            model: the model of the runs, for totals and prices; the framework passes none to a session.
            provider: the provider of the runs.
            session_settings: the default limit of `get_items`.
        """
        self.session_id = session_id
        self.session_settings = session_settings or SessionSettings()
        self._backend = asm_core.aio.wrap(backend)
        new = partial(new_session, agent_id=agent_id, user_id=user_id, session_id=session_id)
        self._log = Log(self._backend.sync, session_id, new)
        self._runs = Runs(self._log.id, provider, model)

    @property
    def stored_id(self) -> str:
        """The id of the session in the store, for `asm show` and the ports."""
        return self._log.id

    async def get_items(
        self, limit: int | None = None, *, wrapper: RunContextWrapper[Any] | None = None
    ) -> list[TResponseInputItem]:
        """Return the newest `limit` items in the order in which they were added; without limit, all.

        None is the limit of the settings; a negative number is no limit.
        """
        self._runs.seen(wrapper)
        chosen = self.session_settings.limit if limit is None and self.session_settings else limit
        found = await self._backend.run(self._log.read, None if chosen is not None and chosen < 0 else chosen)
        return [item for _, item in found]

    async def add_items(
        self, items: list[TResponseInputItem], *, wrapper: RunContextWrapper[Any] | None = None
    ) -> None:
        """Add items, all or none; with the context of a run, also save the run and its tokens so far."""
        if not items:
            return
        run, is_changed = (None, False) if wrapper is None else self._runs.current(wrapper)
        events = self._log.events(items, run_id=run.id if run else None)
        await self._backend.run(self._log.append, events, run if is_changed else None)

    async def pop_item(self, *, wrapper: RunContextWrapper[Any] | None = None) -> TResponseInputItem | None:
        """Remove the newest item, and return it; None if there is none. No two calls return the same one."""
        self._runs.seen(wrapper)
        item: TResponseInputItem | None = await self._backend.run(self._log.pop)
        return item

    async def clear_session(self, *, wrapper: RunContextWrapper[Any] | None = None) -> None:
        """Remove all items, all or none. The session stays in the store, with its runs and their tokens."""
        self._runs.seen(wrapper)
        await self._backend.run(self._log.clear)

    async def compact(
        self, summarize: Callable[[list[TResponseInputItem]], Awaitable[list[TResponseInputItem]]], *, keep: int = 0
    ) -> bool:
        """Replace all items but the newest `keep` by what `summarize` returns for them, in one transaction.

        Returns False, and changes nothing, if items were added or removed meanwhile. If `summarize` or the store
        raises, the old items stay.
        """
        found = await self._backend.run(self._log.read)
        place = len(found) - keep
        if place <= 0:
            return False
        items = [item for _, item in found]
        new = [*await summarize(items[:place]), *items[place:]]
        return await self._backend.run(self._log.replace, new, [event for event, _ in found], is_whole=True)

    # -- what the framework's own sessions offer to its OpenAIResponsesCompactionSession ---------------------------

    async def _atomic_replace_items(self, items: list[TResponseInputItem]) -> bool:
        """Replace all items in one transaction; return False if a subclass may change what is stored."""
        return type(self) is AsmSession and await self._backend.run(self._log.replace, items)

    async def _get_compaction_snapshot(self, limit: int, *, prune_prefix: object = None) -> Any:
        """Return the newest items with a function that replaces a suffix of them, if they have not changed."""
        if prune_prefix is not None or type(self) is not AsmSession:
            return None
        from agents.memory.session import _CompactionSnapshot  # noqa: PLC0415  older versions have none

        found = await self._backend.run(self._log.read, limit + 1)
        kept = found[-limit:]

        async def replace_suffix(start: int, output: list[TResponseInputItem]) -> bool:
            old = [event for event, _ in kept[start:]]
            return bool(old) and await self._backend.run(self._log.replace, output, old)

        return _CompactionSnapshot([item for _, item in kept], len(found) <= limit, replace_suffix)


def new_session(
    stored_id: str, title: str | None, *, agent_id: str, session_id: str, user_id: str | None = None
) -> asm_core.Session:
    """Return the session to store for a session of the framework."""
    metadata = {"openai_agents_session_id": asm_core.integrating.escape_payload(session_id)}
    return asm_core.Session.new(id=stored_id, agent_id=agent_id, user_id=user_id, title=title, metadata=metadata)
