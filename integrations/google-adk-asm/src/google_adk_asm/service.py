"""The session service."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

from google.adk.platform import time as platform_time
from google.adk.platform import uuid as platform_uuid
from google.adk.sessions import BaseSessionService
from google.adk.sessions.base_session_service import ListSessionsResponse

import asm_core as asm
from google_adk_asm import reading, shared
from google_adk_asm.events import events_of
from google_adk_asm.keys import Key
from google_adk_asm.writing import Appended, Seen, Writer

if TYPE_CHECKING:
    from types import TracebackType

    from google.adk.events import Event
    from google.adk.sessions import Session
    from google.adk.sessions.base_session_service import GetSessionConfig


class AsmSessionService(BaseSessionService):
    """Keeps the sessions of apps in a backend: a session for each, with its events in the log.

    State of an app (`app:`) and of a user (`user:`) is shared by its sessions; `temp:` state is never stored.
    An event is stored with its changes of state in one transaction, or not at all, also if its task is cancelled.
    Objects on one store may be used at the same time, in any number of tasks and processes.

    Attributes:
        aio: the backend's asynchronous form.
        provider: the provider of the runs.
    """

    def __init__(self, backend: asm.Backend | asm.aio.Backend, *, provider: str = "google", owns: bool = False) -> None:
        """Store in `backend`, which the caller opened and migrated.

        Args:
            backend: a backend, or its asynchronous form.
            provider: the provider of the runs, for totals and prices; the framework reports none.
            owns: whether `close` closes the backend.
        """
        self.aio = asm.aio.wrap(backend, owns=owns)
        self.provider = provider
        self._writer = Writer(self.aio.sync, provider)
        self._locks: WeakValueDictionary[tuple[object, Key], asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def open(
        cls, url: str | None = None, *, backend: str | None = None, provider: str = "google", **options: Any
    ) -> Self:
        """Open a store, migrate it if needed, and return its service; `close` or ``async with`` closes it.

        Args:
            url: the database; what is not given comes from the configuration, as for `asm_core.open_backend`.
            backend: the name of the backend.
            provider: the provider of the runs.
            options: those of the backend.
        """
        return cls(asm.open_backend(backend, url=url, migrate=True, **options), provider=provider, owns=True)

    async def close(self) -> None:
        """Wait for the calls under way, and close the backend if `open` opened it."""
        await self.aio.close()

    async def __aenter__(self) -> Self:
        """Return the service."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        """Create a session, under a new id if none is given. Spaces around an id are removed.

        Raises:
            AlreadyExistsError: the user has a session with this id in this app.
        """

        def create(given: str) -> Session:
            key = Key(app_name, user_id, given or platform_uuid.new_uuid())
            return self._writer.create(reading.resolved(self.aio.sync, key), deltas, now)

        deltas, now = shared.split(state or {}), platform_time.get_time()
        # An id that is only spaces is none.
        return await self.aio.run(create, session_id if session_id and session_id.strip() else "")

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """Return a session with its events, in the order in which they were appended; None if it does not exist.

        Of the events from `config.after_timestamp` on, the last `config.num_recent_events` are returned.
        """
        return await self.aio.run(reading.get, self.aio.sync, Key(app_name, user_id, session_id), config)

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Return the sessions of an app, of one user or of all, without events, by the time of their last update."""
        return ListSessionsResponse(sessions=await self.aio.run(reading.find_all, self.aio.sync, app_name, user_id))

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Delete a session with its events. If it does not exist, this is a no-op."""
        await self.aio.run(self._writer.delete, Key(app_name, user_id, session_id))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """Return the state of a user, by its keys without ``user:``."""
        return await self.aio.run(shared.load_user, self.aio.sync, app_name, user_id)

    async def delete_user_state(self, *, app_name: str, user_id: str) -> None:
        """Delete the state of a user, which outlives its sessions. If there is none, this is a no-op."""
        await self.aio.run(shared.delete_user, self.aio.sync, app_name, user_id)

    async def append_event(self, session: Session, event: Event) -> Event:
        """Append an event, and apply its changes of state, to the store and to `session`; return the event.

        A partial event is not stored. An event that is stored already changes nothing.

        Raises:
            SessionNotFoundError: the session does not exist.
            StaleSessionError: events were appended since `session` was loaded; load it again.
            AlreadyExistsError: another event of the session has this id.
        """
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        key = Key(session.app_name, session.user_id, session.id)
        batch, deltas = events_of(key, event), shared.split(event.actions.state_delta)
        stored: list[Appended | None] = []
        async with self._lock(key):
            last = session.events[-1].id if session.events else None
            seen = Seen(key, session._storage_update_marker, session.last_update_time, last)  # noqa: SLF001  as the framework's
            with contextlib.ExitStack() as stack:
                # A cancelled call may have stored the event: then the session has it too.
                stack.callback(self._commit, session, event, stored)
                await self.aio.run(lambda: stored.append(self._writer.append(seen, event, batch, deltas)))
        return event

    def _commit(self, session: Session, event: Event, stored: list[Appended | None]) -> None:
        if stored and (appended := stored[0]) is not None:
            session.last_update_time = appended.last_update_time
            session._storage_update_marker = appended.marker  # noqa: SLF001  as the framework's
            self._commit_event_to_session(session, event)

    def _lock(self, key: Key) -> asyncio.Lock:
        """Return the lock of a session in this loop: branches of an agent append to one object."""
        return self._locks.setdefault((asyncio.get_running_loop(), key), asyncio.Lock())
