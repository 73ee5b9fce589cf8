"""The session store on any SQL database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from asm_core.concurrency.transactions import is_in_transaction
from asm_core.errors import SessionDeletedError, UnsupportedCapabilityError
from asm_core.event_log.erasing import BATCH
from asm_core.event_log.group_commit import GroupCommit
from asm_core.ports import Capability, SessionStore
from asm_core.sql.ports.reader import SQLReader
from asm_core.sql.queries import StretchQueries
from asm_core.sql.queries.maintenance.erasing import overwrite_deleted, redact
from asm_core.sql.queries.maintenance.removals import removing_in
from asm_core.sql.queries.saves import Saving, saving_in
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from asm_core.event_log.updating import Expected
    from asm_core.models import Event, Run, Session, StoredEvent
    from asm_core.querying.lagging import LaggingReader
    from asm_core.sql.database import Database
    from asm_core.values.payloads import Payload

_ROWS: Final = 500
"""The largest number of rows of a table that one transaction deletes when it removes a session."""


class SQLSessionStore(SessionStore):
    """Saves and appends with core's statements; a flush and a copy are one transaction."""

    def __init__(
        self,
        database: Database[Any],
        watching: SessionStore | None = None,
        *,
        lagging: LaggingReader | None = None,
    ) -> None:
        """Write to `database`; see `SessionStore` for `watching` and `lagging`."""
        super().__init__(SQLReader(database), watching, lagging=lagging)
        self._database = database
        if watching is None:  # those of a transaction join it
            self.group_commit = GroupCommit(
                database.append_alone, queues=database.appends_at_once, committed=self._notify
            )

    def _save_session(self, session: Session, expected: int | None) -> Session:
        with self._database.write() as connection:
            return self._saving.save_session(connection.execute_sql, session, expected)

    def _save_run(self, run: Run, expected: int | None) -> Run:
        with self._database.write() as connection:
            return self._saving.save_run(connection.execute_sql, run, expected)

    def _append(self, events: list[Event]) -> list[StoredEvent]:
        database: Database[Any] = self._database
        if database.joins():
            return database.append_joined(events)
        if self.group_commit is None or is_in_transaction():
            # Another caller's append may wait for the end of a transaction that this caller has open.
            return database.append_alone(events)
        return self.group_commit.append(events)

    def _flush(self, session: Session, run: Run | None, events: list[Event], expected: Expected) -> list[StoredEvent]:
        with self._database.write():
            if self._save_session(session, expected.session).deleted_at is not None:
                raise SessionDeletedError(session.id)
            if run is not None:
                self._save_run(run, expected.run)
            return self._append(events) if events else []

    def _restore(
        self, session: Session, runs: list[Run], events: list[Event], last_sequence: int, *, replace: bool
    ) -> int:
        store = self._saving.copy if replace else self._saving.add
        with self._database.write() as connection:
            store(connection.execute_sql, session, runs)
            return self._database.restore(session.id, events, last_sequence)

    def _delete_session(self, session_id: str) -> None:
        # A marked session is invisible to readers, so other writers need not wait for its last row.
        removing, is_first = removing_in(self._database.words), True
        while True:
            with self._database.write() as connection:
                begun, execute = time.perf_counter(), connection.execute_sql
                if is_first:
                    removing.mark(execute, [session_id], utc_now())
                removal = removing.remove(execute, [session_id], _ROWS)
            if removal.sessions or not (removal.events or removal.runs):
                return
            # A later session with this id is another one, and not marked.
            is_first = False
            self._database.make_way(time.perf_counter() - begun)

    def _remove_events(self, events: Sequence[Event]) -> int:
        with self._database.batch(is_last=len(events) < BATCH) as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            return StretchQueries(self._database.words).remove(connection.execute_sql, events)

    def _redact_events(self, session_id: str, ids: Sequence[str], data: Payload, metadata: Payload) -> int:
        with self._database.batch(is_last=len(ids) < BATCH) as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            return redact(connection.execute_sql, self._database.words, session_id, ids, data=data, mark=metadata)

    def _finish_erasure(self) -> bool:
        return self._database.finish_erasure()

    def _check_global_ids(self) -> None:
        if not self._database.has_global_ids:
            raise UnsupportedCapabilityError(self._database.backend_name, Capability.GLOBAL_EVENT_IDS)

    def _commit_token(self) -> object:
        return self._database.change_token()

    def _subscribe(self, notify: Callable[[str | None], None]) -> AbstractContextManager[object]:
        return self._database.listening(notify)

    @property
    def _saving(self) -> Saving:
        return saving_in(self._database.words)
