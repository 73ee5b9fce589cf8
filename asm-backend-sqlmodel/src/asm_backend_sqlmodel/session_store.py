"""Writing sessions, runs and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, literal, select

from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.reader import EVENTS, RUNS, SEQUENCES, SESSIONS, SQLModelReader
from asm_core import SessionNotFoundError
from asm_core.money import nanos_from_usd
from asm_core.sql import SQLSessionStore
from asm_core.sql.counters import make_counter
from asm_core.sql.tables import REMOVING, SESSION_COLUMNS

if TYPE_CHECKING:
    from sqlalchemy import Table

    from asm_backend_sqlmodel.connection import TableConnection
    from asm_core import Run, Session


def _upsert(insert: Any, table: Table) -> Any:
    statement = insert(table)
    kept = {"id", REMOVING}
    columns = {column.name: statement.excluded[column.name] for column in table.c if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=["id"], set_=columns)


class SQLModelSessionStore(SQLModelReader, SQLSessionStore[Database]):
    """The session store on SQLModel."""

    def __init__(self, database: Database) -> None:
        """Write to `database`."""
        super().__init__(database)
        self._upsert_session = _upsert(database.insert, SESSIONS)
        self._upsert_run = _upsert(database.insert, RUNS)
        self._add_session = database.insert(SESSIONS).on_conflict_do_nothing(index_elements=["id"])
        self._add_run = database.insert(RUNS).on_conflict_do_nothing(index_elements=["id"])

    def _save_session(self, session: Session) -> None:
        with self._database.write() as connection:
            connection.execute(self._upsert_session, _session_values(session))
            make_counter(connection.execute_sql, self._database.dialect, session.id)

    def _save_run(self, run: Run) -> None:
        with self._database.write() as connection:
            self._require_session(connection, run.session_id)
            connection.execute(self._upsert_run, _run_values(run))

    def _delete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            remove_sessions(connection, [session_id])

    def _add(self, session: Session, runs: list[Run]) -> None:
        with self._database.write() as connection:
            connection.execute(self._add_session, _session_values(session))
            for run in runs:
                connection.execute(self._add_run, _run_values(run))

    def _require_session(self, connection: TableConnection, session_id: str) -> None:
        # Held, where the database has row locks, so that it is still there when what belongs to it is written.
        known = select(literal(1)).where(SESSIONS.c.id == session_id).with_for_update(read=True, key_share=True)
        found = connection.execute(known).first()
        if found is None:
            raise SessionNotFoundError(session_id)


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


def _session_values(session: Session) -> dict[str, Any]:
    return {field: getattr(session, field) for field in SESSION_COLUMNS}


def _run_values(run: Run) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in RUNS.c.keys() if name != "cost_nanos"}  # noqa: SIM118  column names
    return {**values, "cost_nanos": None if run.cost_usd is None else nanos_from_usd(run.cost_usd)}
