"""The ports for asyncio. Their types are in ``ports.pyi``, which ``nox -s stubs`` writes."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from asm_core import ports
from asm_core.aio.facade import asynchronous
from asm_core.recording import manager

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.models import Event, StoredEvent


class SessionStore(asynchronous(ports.SessionStore)):
    """The session store, whose appends take no thread of their own."""

    __slots__ = ()

    @wraps(ports.SessionStore.append_event)
    async def append_event(self, event: Event) -> StoredEvent:  # noqa: D102  that of the port
        return (await self.calls.append(self.sync, [event]))[0]

    @wraps(ports.SessionStore.append_events)
    async def append_events(self, events: Iterable[Event]) -> list[StoredEvent]:  # noqa: D102  that of the port
        return await self.calls.append(self.sync, events)


SessionStore.__doc__ = ports.SessionStore.__doc__
QueryAPI = asynchronous(ports.QueryAPI)
Maintenance = asynchronous(ports.Maintenance)
ArtifactRegistry = asynchronous(ports.ArtifactRegistry)
StateStore = asynchronous(ports.StateStore)
Artifacts = asynchronous(ports.Artifacts)
Schema = asynchronous(ports.Backend, "migrate", "schema_version", "text_index")
ManagedSessions = asynchronous(manager.SessionManager, without=("stream",))
