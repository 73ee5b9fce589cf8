"""Writing sessions, runs and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pony.orm import raw_sql, select

from asm_backend_pony.reader import PonyReader
from asm_core import SessionStore
from asm_core.sql import SQLSessionStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_backend_pony.connection import PonyConnection
    from asm_backend_pony.database import Database


class PonySessionStore(SQLSessionStore["Database"], PonyReader, SessionStore):
    """Sessions, runs and events."""

    def _delete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            remove_sessions(self._database, connection, [session_id])


def remove_sessions(database: Database, connection: PonyConnection, session_ids: Sequence[str]) -> None:
    """Remove sessions with their runs, events and counters, which are locked first, in the order of their ids.

    Only those that were locked: one that is stored anew meanwhile is another writer's.
    """
    models, wanted = database.models, database.columns.several(session_ids)
    sessions = select(s.id for s in models.SessionRow if s.id in wanted).order_by(raw_sql("s.id"))
    ids = database.columns.several(connection.values(sessions.for_update()))
    counters = select(q.session_id for q in models.SequenceRow if q.session_id in ids)
    connection.values(counters.order_by(raw_sql("q.session_id")).for_update())
    connection.delete(select(e for e in models.EventRow if e.session_id in ids))
    connection.delete(select(s for s in models.SessionRow if s.id in ids))  # runs and counters cascade
