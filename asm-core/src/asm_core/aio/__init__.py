"""The ports for asyncio: the same methods, awaited.

>>> import asyncio
>>> import asm_core as asm
>>> async def main() -> int | None:
...     async with asm.aio.open_backend("memory") as backend:
...         session = await backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
...         event = asm.Event.new(type="message_received", session_id=session.id, data={"content": "hello"})
...         stored = await backend.session_store.append_event(event)
...         return stored.sequence_number
>>> asyncio.run(main())
1

The calls run in a few threads of the backend's own. The classes are derived from the synchronous ports, and so are
their types, in ``ports.pyi``.
"""

from asm_core.aio.backend import Backend, Opening, open_backend, wrap
from asm_core.aio.manager import SessionManager
from asm_core.aio.ports import ArtifactRegistry, Artifacts, Maintenance, QueryAPI, SessionStore, StateStore
from asm_core.aio.transactions import BoundPorts, Ports

__all__ = [
    "ArtifactRegistry",
    "Artifacts",
    "Backend",
    "BoundPorts",
    "Maintenance",
    "Opening",
    "Ports",
    "QueryAPI",
    "SessionManager",
    "SessionStore",
    "StateStore",
    "open_backend",
    "wrap",
]
