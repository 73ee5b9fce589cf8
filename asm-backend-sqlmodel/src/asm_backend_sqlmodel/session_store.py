"""Writing sessions, runs and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.reader import EVENTS, RUNS, SEQUENCES, SESSIONS, SQLModelReader
from asm_core.sql import SQLSessionStore

if TYPE_CHECKING:
    from asm_backend_sqlmodel.connection import TableConnection


class SQLModelSessionStore(SQLModelReader, SQLSessionStore[Database]):
    """The session store on SQLModel."""

    def _delete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            remove_sessions(connection, [session_id])


def remove_sessions(connection: TableConnection, session_ids: list[str]) -> None:
    """Remove sessions with their runs, events and counters."""
    # Locked first, where the database has row locks, and only these: an append would put an event into a log that is
    # being removed. Counters in the order in which appends take them.
    held = select(SESSIONS.c.id).where(SESSIONS.c.id.in_(session_ids)).order_by(SESSIONS.c.id).with_for_update()
    session_ids = [row[0] for row in connection.execute(held)]
    counters = select(SEQUENCES.c.session_id).where(SEQUENCES.c.session_id.in_(session_ids))
    connection.execute(counters.order_by(SEQUENCES.c.session_id).with_for_update())
    connection.execute(delete(SEQUENCES).where(SEQUENCES.c.session_id.in_(session_ids)))
    connection.execute(delete(EVENTS).where(EVENTS.c.session_id.in_(session_ids)))
    connection.execute(delete(RUNS).where(RUNS.c.session_id.in_(session_ids)))
    connection.execute(delete(SESSIONS).where(SESSIONS.c.id.in_(session_ids)))
