"""Writing sessions, runs and events. Pony knows no upsert, and no lock but FOR UPDATE: these are said in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pony.orm import raw_sql, select

from asm_backend_pony.reader import PonyReader
from asm_core import SessionNotFoundError, SessionStore
from asm_core.sql import SQLSessionStore
from asm_core.sql.counters import make_counter
from asm_core.sql.tables import RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_backend_pony.connection import PonyConnection
    from asm_backend_pony.database import Database
    from asm_core import Run, Session


class PonySessionStore(SQLSessionStore["Database"], PonyReader, SessionStore):
    """Sessions, runs and events."""

    def __init__(self, database: Database) -> None:
        """Read from and write to `database`."""
        super().__init__(database)
        mark = self._columns.mark
        self._save_sessions = insert("asm_sessions", SESSION_COLUMNS, mark, replace=True)
        self._add_sessions = insert("asm_sessions", SESSION_COLUMNS, mark, replace=False)
        self._save_runs = insert("asm_runs", RUN_COLUMNS, mark, replace=True)
        self._add_runs = insert("asm_runs", RUN_COLUMNS, mark, replace=False)
        self._keep_session = f"SELECT id FROM asm_sessions WHERE id = {mark}{self._columns.kept}"  # noqa: S608

    def _save_session(self, session: Session) -> None:
        with self._database.write() as connection:
            connection.execute_sql(self._save_sessions, self._codec.session_row(session))
            make_counter(connection.execute_sql, self._database.dialect, session.id)

    def _save_run(self, run: Run) -> None:
        with self._database.write() as connection:
            if connection.execute_sql(self._keep_session, (run.session_id,)).fetchall() == []:
                raise SessionNotFoundError(run.session_id)
            connection.execute_sql(self._save_runs, self._codec.run_row(run))

    def _delete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            remove_sessions(self._database, connection, [session_id])

    def _add(self, session: Session, runs: list[Run]) -> None:
        with self._database.write() as connection:
            connection.execute_sql(self._add_sessions, self._codec.session_row(session))
            for run in runs:
                connection.execute_sql(self._add_runs, self._codec.run_row(run))


def insert(table: str, columns: Sequence[str], mark: str, *, replace: bool) -> str:
    """Return the statement that stores a row; one with its id is replaced, or left alone."""
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "id")
    otherwise = f"UPDATE SET {changes}" if replace else "NOTHING"
    values = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT (id) DO {otherwise}"  # noqa: S608


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
