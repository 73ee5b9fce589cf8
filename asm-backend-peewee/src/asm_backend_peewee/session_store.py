"""Writing sessions, runs and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import Value

from asm_backend_peewee.database import Database
from asm_backend_peewee.reader import PeeweeReader
from asm_core import SessionNotFoundError
from asm_core.money import nanos_from_usd
from asm_core.sql import SQLSessionStore
from asm_core.sql.counters import make_counter

if TYPE_CHECKING:
    from asm_backend_peewee.connection import TableConnection
    from asm_backend_peewee.models import Models
    from asm_core import Run, Session


class PeeweeSessionStore(PeeweeReader, SQLSessionStore[Database]):
    """The session store on Peewee."""

    def _save_session(self, session: Session) -> None:
        with self._database.write() as connection:
            connection.execute(_upsert(self._sessions, _session_values(session)))
            make_counter(connection.execute_sql, self._database.dialect, session.id)

    def _save_run(self, run: Run) -> None:
        with self._database.write() as connection:
            self._require_session(connection, run.session_id)
            connection.execute(_upsert(self._runs, _run_values(run)))

    def _delete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            remove_sessions(connection, self._database.models, [session_id])

    def _add(self, session: Session, runs: list[Run]) -> None:
        with self._database.write() as connection:
            connection.execute(self._sessions.insert(_session_values(session)).on_conflict_ignore())
            for run in runs:
                connection.execute(self._runs.insert(_run_values(run)).on_conflict_ignore())

    def _require_session(self, connection: TableConnection, session_id: str) -> None:
        # Held, where the database has row locks, so that it is still there when what belongs to it is written.
        known = self._sessions.select(Value(1)).where(self._sessions.id == session_id)
        if connection.database.for_update:
            known = known.for_update("FOR KEY SHARE")
        if not connection.execute(known).fetchall():
            raise SessionNotFoundError(session_id)


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


def _upsert(model: Any, values: dict[str, Any]) -> Any:
    fields = model._meta.sorted_fields  # noqa: SLF001  Peewee's documented way to a model's fields
    return model.insert(values).on_conflict(
        conflict_target=[model.id],
        preserve=[field for field in fields if field.name in values and field is not model.id],
    )


def _session_values(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in session.__struct_fields__}


def _run_values(run: Run) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in run.__struct_fields__ if name not in {"session_id", "cost_usd"}}
    return {
        **values,
        "session": run.session_id,
        "cost_nanos": None if run.cost_usd is None else nanos_from_usd(run.cost_usd),
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "total_tokens": run.total_tokens,
        "model": run.model,
    }
