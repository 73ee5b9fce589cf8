"""Writing sessions, runs and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_backend_peewee.database import Database
from asm_backend_peewee.reader import PeeweeReader
from asm_core.sql import SQLSessionStore

if TYPE_CHECKING:
    from asm_backend_peewee.connection import TableConnection
    from asm_backend_peewee.models import Models


class PeeweeSessionStore(PeeweeReader, SQLSessionStore[Database]):
    """The session store on Peewee."""

    def _delete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            remove_sessions(connection, self._database.models, [session_id])


def remove_sessions(connection: TableConnection, models: Models, session_ids: list[str]) -> None:
    """Remove sessions with their runs, events and counters."""
    sessions, runs, events, sequences, _ = models
    # Locked first, where the database has row locks, and only these: an append would put an event into a log that is
    # being removed. Counters in the order in which appends take them.
    held = sessions.select(sessions.id).where(sessions.id.in_(session_ids)).order_by(sessions.id)
    if connection.database.for_update:
        held = held.for_update()
    session_ids = [row[0] for row in connection.execute(held).fetchall()]
    if connection.database.for_update:
        counters = sequences.select(sequences.session).where(sequences.session.in_(session_ids))
        connection.execute(counters.order_by(sequences.session).for_update())
    connection.execute(sequences.delete().where(sequences.session.in_(session_ids)))
    connection.execute(events.delete().where(events.session_id.in_(session_ids)))
    connection.execute(runs.delete().where(runs.session.in_(session_ids)))
    connection.execute(sessions.delete().where(sessions.id.in_(session_ids)))
