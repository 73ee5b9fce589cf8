"""The state store on any SQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from asm_core.models.state_record import StateRecord
from asm_core.ports.state_store import StateStore
from asm_core.sql.queries.maintenance.erasing import overwrite_deleted
from asm_core.sql.queries.state import StateQueries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.sql.database import Database


class SQLStateStore(StateStore):
    """Compares and sets in one statement, so that no other writer can interfere."""

    def __init__(self, database: Database[Any]) -> None:
        """Store in `database`."""
        self._database = database
        self._queries = StateQueries(database.words)

    def _load(self, namespace: str, key: str, now: datetime) -> StateRecord | None:
        rows = self._database.fetch(*self._queries.live(namespace, key, now))
        return self._database.codec.state_record(rows[0]) if rows else None

    def _put(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        expires_at: datetime | None,
        expected: int | None,
        now: datetime,
    ) -> StateRecord | None:
        new = StateRecord(
            namespace=namespace,
            key=key,
            value=value,
            revision=1,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
        )
        with self._database.write() as connection:
            rows = connection.execute_sql(*self._queries.put(new, expected)).fetchall()
        if not rows:
            return None
        ((revision, created_at),) = rows
        return replace(new, revision=revision, created_at=self._database.codec.decode_time(created_at))

    def _delete(self, namespace: str, key: str, expected: int | None, now: datetime) -> bool:
        with self._database.write() as connection:
            return bool(connection.execute_sql(*self._queries.delete(namespace, key, expected, now)).fetchall())

    def _restore(self, record: StateRecord, expected: int, now: datetime) -> bool:
        with self._database.write() as connection:
            return bool(connection.execute_sql(*self._queries.restore(record, expected, now)).fetchall())

    def _find(self, namespace: str, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[StateRecord]:
        rows = self._database.fetch(*self._queries.find(namespace, prefix, after, now, limit))
        return list(map(self._database.codec.state_record, rows))

    def _find_namespaces(self, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[str]:
        rows = self._database.fetch(*self._queries.namespaces(prefix, after, now, limit))
        return [name for (name,) in rows]

    def _remove(self, namespace: str, prefix: str, limit: int) -> int:
        with self._database.write() as connection:
            overwrite_deleted(connection.execute_sql, self._database.words)
            return len(connection.execute_sql(*self._queries.remove(namespace, prefix, limit)).fetchall())
