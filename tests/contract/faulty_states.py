"""State stores with one fault each, and the test that is meant to catch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fault_registry import caught_by

from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.memory.state_store import MemoryStateStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core import StateRecord


@caught_by(
    "test_a_put_that_expects_another_revision_changes_nothing",
    "test_a_put_that_expects_a_revision_creates_nothing",
    "test_of_several_writers_of_one_revision_one_succeeds",
)
class PutsCompareNothing(MemoryStateStore):
    def _put(self, namespace: str, key: str, value: Any, **rest: Any) -> StateRecord | None:
        return super()._put(namespace, key, value, **{**rest, "expected": None})


@caught_by("test_a_deletion_that_expects_another_revision_deletes_nothing")
class DeletionsCompareNothing(MemoryStateStore):
    def _delete(self, namespace: str, key: str, expected: int | None, now: datetime) -> bool:  # noqa: ARG002
        return super()._delete(namespace, key, None, now)


@caught_by(
    "test_a_copy_that_expects_another_revision_changes_nothing",
    "test_a_copy_that_expects_a_revision_creates_nothing",
    "test_of_several_copies_at_once_one_is_stored",
)
class CopiesCompareNothing(MemoryStateStore):
    def _restore(self, record: StateRecord, expected: int, now: datetime) -> bool:  # noqa: ARG002
        stored = self._load(record.namespace, record.key, now)
        return super()._restore(record, stored.revision if stored else 0, now)


@caught_by("test_a_copy_of_a_record_is_exact", "test_a_restored_record_continues")
class CopiesArePuts(MemoryStateStore):
    def _restore(self, record: StateRecord, expected: int, now: datetime) -> bool:
        rest = {"expires_at": record.expires_at, "expected": expected, "now": now}
        return self._put(record.namespace, record.key, record.value, **rest) is not None


@caught_by("test_a_copy_replaces_an_expired_record")
class CopiesCompareExpiredRecords(MemoryStateStore):
    def _restore(self, record: StateRecord, expected: int, now: datetime) -> bool:
        return super()._restore(record, expected, now.replace(year=1))


@caught_by("test_an_expired_record_does_not_exist")
class ExpiredRecordsAreListed(MemoryStateStore):
    def _find(self, namespace: str, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[StateRecord]:
        return super()._find(namespace, prefix, after, now.replace(year=1), limit)


@caught_by("test_a_prefix_is_compared_exactly")
class PrefixesWithoutCase(MemoryStateStore):
    def _find(self, namespace: str, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[StateRecord]:
        found = super()._find(namespace, "", after, now, limit)
        return [record for record in found if record.key.lower().startswith(prefix.lower())]


@caught_by("test_pages_hold_each_record_once")
class PagesSkipANamespace(MemoryStateStore):
    def _find_namespaces(self, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[str]:
        return super()._find_namespaces(prefix, after, now, limit)[0 if after is None else 1 :]


@caught_by("test_records_of_a_prefix_are_removed")
class PrefixOfARemovalIgnored(MemoryStateStore):
    def _remove(self, namespace: str, prefix: str, limit: int) -> int:  # noqa: ARG002
        return super()._remove(namespace, "", limit)


@caught_by("test_records_that_live_are_kept")
class LiveRecordsRemoved(MemoryRetentionStore):
    def remove_expired_records(self, at: datetime, limit: int) -> int:
        return super().remove_expired_records(at.replace(year=9000), limit)


@caught_by("test_expired_records_are_removed_once")
class ExpiredRecordsOnlyCounted(MemoryRetentionStore):
    def remove_expired_records(self, at: datetime, limit: int) -> int:
        return min(self.count_expired_records(at), limit - 1)


@caught_by("test_expired_records_are_removed_in_batches")
class BatchOfRecordsUnbounded(MemoryRetentionStore):
    def remove_expired_records(self, at: datetime, limit: int) -> int:
        return super().remove_expired_records(at, max(limit, 1000))


@caught_by("test_a_dry_run_counts_expired_records")
class DryRunsRemoveRecords(MemoryRetentionStore):
    def count_expired_records(self, at: datetime) -> int:
        return super().remove_expired_records(at, 1000)
