"""What the ports of every backend on SQL do alike, over the `Database` of the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.ports import Maintenance, SessionStore
from asm_core.sql.database import D, OnDatabase
from asm_core.sql.invariants import find_faults
from asm_core.sql.saving import Saving, saving_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from asm_core.models import Event, Run, Session


class SQLSessionStore(OnDatabase[D], SessionStore):
    """Saves and appends by core's statements; a flush and a copy are one transaction of these."""

    def _save_session(self, session: Session) -> None:
        with self._database.write() as connection:
            self._saving.save_session(connection.execute_sql, session)

    def _save_run(self, run: Run) -> None:
        with self._database.write() as connection:
            self._saving.save_run(connection.execute_sql, run)

    def _append(self, events: list[Event]) -> list[Event]:
        return self._database.append(events)

    def _flush(self, session: Session, run: Run | None, events: list[Event]) -> list[Event]:
        with self._database.write():
            self._save_session(session)
            if run is not None:
                self._save_run(run)
            return self._append(events) if events else []

    def _restore(self, session: Session, runs: list[Run], events: list[Event], last_sequence: int) -> int:
        with self._database.write() as connection:
            self._saving.add(connection.execute_sql, session, runs)
            return self._database.restore(session.id, events, last_sequence)

    def _change_token(self) -> object:
        return self._database.change_token()

    def _listening(self, tell: Callable[[str | None], None]) -> AbstractContextManager[object]:
        return self._database.listening(tell)

    @property
    def _saving(self) -> Saving:
        return saving_in(self._database.dialect)


class SQLMaintenance(OnDatabase[D], Maintenance):
    """Works in batches that take turns; asks core's questions for faults."""

    def _batch(self) -> AbstractContextManager[object]:
        return self._database.batch()

    def _find_faults(self) -> list[str]:
        with self._database.read() as connection:
            return find_faults(connection.execute_sql)
