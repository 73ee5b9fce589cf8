"""How sessions and runs are stored: the statements of each dialect, which every backend executes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.errors import SessionNotFoundError
from asm_core.sql.codec import codec_of
from asm_core.sql.counters import make_counter
from asm_core.sql.dialects import Dialect
from asm_core.sql.tables import RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asm_core.models import Run, Session
    from asm_core.sql.dialects import Execute


class Saving:
    """Stores sessions and runs in one dialect. The caller holds a write transaction.

    A writer locks sessions first, then runs, then counters, then events.
    """

    def __init__(self, dialect: Dialect) -> None:
        """Write the statements once."""
        self._dialect = dialect
        self._codec = codec_of(dialect)
        mark = dialect.mark
        locked = " FOR KEY SHARE" if dialect is Dialect.POSTGRESQL else ""
        self._hold_session = f"SELECT 1 FROM asm_sessions WHERE id = {mark}{locked}"
        add_session = insertion("asm_sessions", SESSION_COLUMNS, dialect)
        add_run = insertion("asm_runs", RUN_COLUMNS, dialect)
        self._add_session = f"{add_session} ON CONFLICT (id) DO NOTHING"
        self._add_run = f"{add_run} ON CONFLICT (id) DO NOTHING"
        self._save_session = f"{add_session} ON CONFLICT (id) DO UPDATE SET {_changes(SESSION_COLUMNS)}"
        self._save_run = f"{add_run} ON CONFLICT (id) DO UPDATE SET {_changes(RUN_COLUMNS)}"

    def save_session(self, execute: Execute, session: Session) -> None:
        """Store a session, or replace all but the id of the one that is stored."""
        execute(self._save_session, self._codec.session_row(session))
        make_counter(execute, self._dialect, session.id)

    def save_run(self, execute: Execute, run: Run) -> None:
        """Store a run, or replace all but the id of the one that is stored.

        Raises:
            SessionNotFoundError: its session does not exist.
        """
        # Locked, where the database has row locks, so that the session is still there when the run is written.
        if not execute(self._hold_session, (run.session_id,)).fetchall():
            raise SessionNotFoundError(run.session_id)
        execute(self._save_run, self._codec.run_row(run))

    def add(self, execute: Execute, session: Session, runs: Iterable[Run]) -> None:
        """Store a session and its runs where their ids are not stored yet, and leave alone what is."""
        execute(self._add_session, self._codec.session_row(session))
        make_counter(execute, self._dialect, session.id)
        for run in runs:
            execute(self._add_run, self._codec.run_row(run))


def insertion(table: str, columns: Sequence[str], dialect: Dialect) -> str:
    """Return the statement that inserts a row."""
    marks = ", ".join([dialect.mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def _changes(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} = excluded.{column}" for column in columns if column != "id")


_SAVINGS: Final = {dialect: Saving(dialect) for dialect in Dialect}


def saving_in(dialect: Dialect) -> Saving:
    """Return what stores sessions and runs in a dialect."""
    return _SAVINGS[dialect]
