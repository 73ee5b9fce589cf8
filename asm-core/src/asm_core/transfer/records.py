"""Exact copies of records of state in another store."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from asm_core.errors import AlreadyExistsError, RevisionConflictError, StorageError, short_repr
from asm_core.ports import Capability
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.models import StateRecord
    from asm_core.ports import Backend, StateStore

_TRIES: Final = 20
Result = Literal["added", "updated", "unchanged", "expired"]


class StateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of state that an import or a copy read.

    Attributes:
        added: the number of records that the store did not have.
        updated: the number of records of which it had an older state.
        unchanged: the number of records that were already equal.
        expired: the number of records that have expired; they are not stored.
        refused: why a record was not stored, a message each: the store has another or a later state of it.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    expired: int = 0
    refused: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there was a record."""
        return self != StateReport()

    def __add__(self, other: StateReport) -> StateReport:
        """Return the sum of both."""
        return StateReport(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


def store_records(
    backend: Backend, records: Iterable[StateRecord], *, update: bool
) -> tuple[StateReport, list[StateRecord]]:
    """Store copies of records with their revisions and times, in one transaction if the backend has `transactions`.

    Args:
        backend: the store.
        records: the records; in an order that is always the same, so that no two transactions wait for each other.
        update: replace a stored record that is an older state.

    Returns:
        the report, and the records that the store now has.
    """
    counts: dict[str, int] = {}
    refused: list[str] = []
    stored: list[StateRecord] = []
    with backend.transaction() if Capability.TRANSACTIONS in backend.capabilities else nullcontext(backend) as ports:
        for record in records:
            try:
                result = _store(ports.state_store, record, update=update)
            except AlreadyExistsError as error:
                refused.append(error.message)
                continue
            counts[result] = counts.get(result, 0) + 1
            stored.append(record)
    return StateReport(**counts, refused=tuple(refused)), stored


def name_of(record: StateRecord) -> str:
    """Return the name of a record in messages."""
    return f"Record {short_repr(record.key)} of namespace {short_repr(record.namespace)}"


def _store(store: StateStore, record: StateRecord, *, update: bool) -> Result:
    for _ in range(_TRIES):
        if record.has_expired(utc_now()):
            return "expired"
        stored = store.get(record.namespace, record.key)
        if stored == record:
            return "unchanged"
        if stored is not None and not (update and _is_later(record, stored)):
            raise AlreadyExistsError(_conflict(record, stored))
        try:
            store.restore(record, expected_revision=stored.revision if stored else 0)
        except RevisionConflictError:  # another writer was first
            continue
        return "updated" if stored else "added"
    message = f"{name_of(record)} changes faster than it can be stored. Import it again when it changes less often."
    raise StorageError(message)


def _is_later(record: StateRecord, stored: StateRecord) -> bool:
    """Return whether the stored record is an older state: of this one, or of one that was deleted before it."""
    if record.created_at == stored.created_at:
        return record.revision > stored.revision and record.updated_at >= stored.updated_at
    return record.created_at > stored.updated_at


def _conflict(record: StateRecord, stored: StateRecord) -> str:
    fields = [name for name in record.__struct_fields__ if getattr(stored, name) != getattr(record, name)]
    return (
        f"{name_of(record)} is already stored and differs in: {', '.join(fields)}. It was left as it is. Delete the "
        "stored record first, or use another store."
    )
