"""The primitives of maintenance on any SQL database.

Each statement scans a bounded number of rows, a range of keys, with any query plan, even without statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from asm_core.retention import Found, RetentionStore
from asm_core.sql.ports.reader import SQLReader
from asm_core.sql.queries import ArtifactQueries, RetentionQueries, StretchQueries
from asm_core.sql.queries.maintenance.erasing import overwrite_deleted
from asm_core.sql.queries.maintenance.integrity import find_faults
from asm_core.sql.queries.maintenance.removals import removing_in
from asm_core.sql.queries.maintenance.soft_deletion import soft_delete, undelete
from asm_core.sql.queries.state import StateQueries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.retention import (
        DeletedSessions,
        EventMark,
        ExpiredSessions,
        OversizedSessions,
        PrunableSessions,
        RemovableArtifacts,
        Removal,
        Stretch,
    )
    from asm_core.sql.database import Database
    from asm_core.sql.queries import Statement, Where
    from asm_core.sql.replica import Replica

_LOOK: Final = 1000
"""The number of rows that one search scans."""


class SQLRetentionStore(SQLReader, RetentionStore):
    """Works in batches, one at a time."""

    def __init__(self, database: Database[Any], replica: Replica | None = None) -> None:
        """Maintain `database`, and check the health of `replica`, too."""
        super().__init__(database)
        self._checked_replica = replica
        self._queries = RetentionQueries(database.words)
        self._stretches = StretchQueries(database.words)
        self._removing = removing_in(database.words)
        self._artifacts = ArtifactQueries(database.words)
        self._state = StateQueries(database.words)

    def batch(self) -> AbstractContextManager[object]:
        return self._database.batch()

    def find_expired(self, query: ExpiredSessions) -> Found:
        return self._look("sessions", self._queries.expired(query), query)

    def find_deleted(self, query: DeletedSessions) -> Found:
        return self._look("sessions", self._queries.deleted(query), query)

    def find_oversized(self, query: OversizedSessions) -> Found:
        return self._look("sessions", self._queries.oversized(query), query)

    def find_removable(self, query: RemovableArtifacts) -> Found:
        return self._look("artifacts", self._queries.removable(query), query)

    def find_prunable(self, query: PrunableSessions) -> list[str]:
        groups = self._locked_together(query.ids) if query.hold else [query.ids]
        return [one for ids in groups for one in self._ids(self._queries.prunable(replace(query, ids=ids)))]

    def find_marked(self, after: str, limit: int) -> list[str]:
        with self._database.read() as connection:
            return self._removing.marked(connection.execute_sql, after, limit)

    def next_stretch(self, session_id: str | None, after: tuple[Any, ...] | None) -> Stretch | None:
        with self._database.read() as connection:
            if session_id is None:
                return self._stretches.next_of_all(connection.execute_sql, after)
            return self._stretches.next_of_session(connection.execute_sql, session_id, after)

    def list_events(self, session_id: str | None, stretch: Stretch) -> list[EventMark]:
        with self._database.read() as connection:
            return self._stretches.list_events(connection.execute_sql, session_id, stretch)

    def soft_delete_sessions(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._database.write() as connection:
            soft_delete(connection.execute_sql, self._database.words, session_ids, at)

    def undelete_session(self, session_id: str) -> None:
        with self._database.write() as connection:
            undelete(connection.execute_sql, self._database.words, session_id)

    def mark_removals(self, session_ids: Sequence[str], at: datetime) -> None:
        with self._database.write() as connection:
            self._removing.mark(connection.execute_sql, session_ids, at)

    def remove_marked(self, limit: int) -> Removal:
        with self._database.write() as connection:
            execute = connection.execute_sql
            overwrite_deleted(execute, self._database.words)
            return self._removing.remove(execute, self._removing.marked(execute, "", limit), limit)

    def finish_erasure(self) -> bool:
        return self._database.finish_erasure()

    def size(self) -> int:
        return self._database.size()

    def compact(self) -> None:
        self._database.compact()

    def remove_events(self, events: Sequence[EventMark]) -> int:
        with self._database.write() as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            return self._stretches.remove(connection.execute_sql, events)

    def remove_artifacts(self, artifact_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute_sql(*self._artifacts.remove(artifact_ids))

    def count_expired_records(self, at: datetime) -> int:
        with self._database.read() as connection:
            ((count,),) = connection.execute_sql(*self._state.count_expired(at)).fetchall()
        return int(count)

    def remove_expired_records(self, at: datetime, limit: int) -> int:
        with self._database.write() as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            return len(connection.execute_sql(*self._state.remove_expired(at, limit)).fetchall())

    def remove_records(self, prefix: str, limit: int) -> int:
        with self._database.write() as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            return len(connection.execute_sql(*self._state.remove_namespaces(prefix, limit)).fetchall())

    def check_integrity(self) -> list[str]:
        with self._database.read() as connection:
            faults = find_faults(connection.execute_sql, self._database.words)
        faults += self._database.texts.faults()
        return faults if self._checked_replica is None else [*faults, *self._checked_replica.faults()]

    def _look(self, table: str, where: Where, query: Any) -> Found:
        """Search the next rows for those that meet conditions; with given ids, lock these rows."""
        among: tuple[str, ...] | None = getattr(query, "ids", None)
        if among is not None:
            groups = self._locked_together(among)
            return Found([one for ids in groups for one in self._ids(self._queries.among(table, where, ids))])
        ahead = self._ids(self._queries.ahead(table, query.after, _LOOK))
        end = ahead[0] if ahead else None
        ids = self._ids(self._queries.between(table, where, (query.after, end), query.limit))
        return Found(ids, ids[-1] if len(ids) == query.limit else end)

    def _locked_together(self, ids: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return the ids in groups, in order, whose rows one statement may lock."""
        return [(one,) for one in sorted(ids)] if self._database.words.singly else [ids]

    def _ids(self, statement: Statement) -> list[str]:
        with self._database.read() as connection:
            return [row[0] for row in connection.execute_sql(*statement).fetchall()]
