"""The state store of the in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.models.state_record import StateRecord
from asm_core.ports.state_store import StateStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.memory.state import State


class MemoryStateStore(StateStore):
    """The records in memory."""

    def __init__(self, state: State) -> None:
        """Keep them in `state`."""
        self._state = state

    def _load(self, namespace: str, key: str, now: datetime) -> StateRecord | None:
        with self._state.lock:
            record = self._live(namespace, key, now)
        return None if record is None else record.checked()

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
        with self._state.transaction():
            stored = self._live(namespace, key, now)
            if not _is_expected(stored, expected):
                return None
            record = StateRecord(
                namespace=namespace,
                key=key,
                value=value,
                revision=1 if stored is None else stored.revision + 1,
                created_at=now if stored is None else stored.created_at,
                updated_at=now,
                expires_at=expires_at,
            )
            self._state.put(self._state.records, (namespace, key), record)
        return record.checked()

    def _delete(self, namespace: str, key: str, expected: int | None, now: datetime) -> bool:
        with self._state.transaction():
            stored = self._live(namespace, key, now)
            if stored is None or not _is_expected(stored, expected):
                return False
            self._state.drop(self._state.records, (namespace, key))
        return True

    def _restore(self, record: StateRecord, expected: int, now: datetime) -> bool:
        with self._state.transaction():
            if not _is_expected(self._live(record.namespace, record.key, now), expected):
                return False
            self._state.put(self._state.records, (record.namespace, record.key), record)
        return True

    def _find(self, namespace: str, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[StateRecord]:
        with self._state.lock:
            found = [
                record.checked()
                for record in self._state.records.values()
                if record.namespace == namespace
                and record.key.startswith(prefix)
                and (after is None or record.key > after)
                and not record.has_expired(now)
            ]
        return sorted(found, key=lambda record: record.key)[:limit]

    def _find_namespaces(self, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[str]:
        with self._state.lock:
            names = {record.namespace for record in self._state.records.values() if not record.has_expired(now)}
        return sorted(name for name in names if name.startswith(prefix) and (after is None or name > after))[:limit]

    def _remove(self, namespace: str, prefix: str, limit: int) -> int:
        with self._state.transaction():
            found = [place for place in self._state.records if place[0] == namespace and place[1].startswith(prefix)]
            for place in found[:limit]:
                self._state.drop(self._state.records, place)
        return len(found[:limit])

    def _live(self, namespace: str, key: str, now: datetime) -> StateRecord | None:
        record = self._state.records.get((namespace, key))
        return None if record is None or record.has_expired(now) else record


def _is_expected(stored: StateRecord | None, expected: int | None) -> bool:
    return expected in {None, 0 if stored is None else stored.revision}
