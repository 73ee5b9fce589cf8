"""The port for records of state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asm_core.errors import RevisionConflictError, ValidationError
from asm_core.models.base import check_instance, check_natural
from asm_core.models.state_record import StateRecord, check_value
from asm_core.querying.cursors import decode_cursor
from asm_core.querying.pages import Page, cut_page
from asm_core.querying.queries import Order, check_limit
from asm_core.values.ids import check_name
from asm_core.values.times import check_optional_time, utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_BY_KEY: Final = Order("key_asc", ("key",), descending=False)
_BY_NAMESPACE: Final = Order("namespace_asc", ("namespace",), descending=False)
_STEP: Final = 500
"""The largest number of records that one transaction removes."""


class _Namespace(NamedTuple):
    namespace: str


class StateStore(ABC):
    """Key-value records beside sessions: shared state, preferences, caches, long-term memory of agents.

    A record that has expired does not exist for any method, except that `delete_all` removes it too. It stays in the
    store until a put replaces it, or `delete_all` or maintenance removes it.
    All arguments are checked first (`ValidationError`). Any method may raise `StorageError`.
    """

    def get(self, namespace: str, key: str) -> StateRecord | None:
        """Return the record, or None if there is none."""
        return self._load(check_name("namespace", namespace), check_name("key", key), utc_now())

    def put(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        expected_revision: int | None = None,
        expires_at: datetime | None = None,
    ) -> StateRecord:
        """Store a value, and return its record. The revision is 1 for a new record, and one more for each later put.

        Args:
            namespace: the group of the record.
            key: its name in the namespace.
            value: any JSON value.
            expected_revision: the revision that the record must have; 0: there must be none. Of several writers that
                expect the same revision, one succeeds. A deleted record begins again at revision 1.
            expires_at: the time from which reads no longer return the record; None: never, also if it had one.

        Raises:
            RevisionConflictError: the record has another revision.
        """
        expected = _check_expected(expected_revision)
        record = self._put(
            check_name("namespace", namespace),
            check_name("key", key),
            check_value(value),
            expires_at=check_optional_time("expires_at", expires_at),
            expected=expected,
            now=utc_now(),
        )
        if record is None:
            raise self._conflict(namespace, key, expected)
        return record

    def delete(self, namespace: str, key: str, *, expected_revision: int | None = None) -> bool:
        """Remove the record; return whether there was one.

        Raises:
            RevisionConflictError: the record has another revision than `expected_revision`, or there is none.
        """
        expected = _check_expected(expected_revision, least=1)
        removed = self._delete(check_name("namespace", namespace), check_name("key", key), expected, utc_now())
        if expected is not None and not removed:
            raise self._conflict(namespace, key, expected)
        return removed

    def restore(self, record: StateRecord, *, expected_revision: int = 0) -> StateRecord:
        """Store an exact copy of a record, with its revision and times, and return it; for imports and copies.

        A copy that has expired is stored too, and no read returns it.

        Args:
            record: the record of another store.
            expected_revision: the revision of the record that the copy replaces; 0: there must be none.

        Raises:
            RevisionConflictError: the stored record has another revision.
        """
        expected = check_natural("expected_revision", expected_revision, least=0)
        copy = check_instance(StateRecord, record).checked()
        if not self._restore(copy, expected, utc_now()):
            raise self._conflict(copy.namespace, copy.key, expected)
        return copy

    def list(
        self, namespace: str, *, prefix: str = "", limit: int = 50, cursor: str | None = None
    ) -> Page[StateRecord]:
        """Return a page of the records of a namespace whose key begins with `prefix`, by key.

        Keys sort by code points. An unknown namespace gives an empty page.
        """
        namespace, prefix, size = check_name("namespace", namespace), _check_prefix(prefix), check_limit(limit)
        after = None if cursor is None else decode_cursor("state", _BY_KEY, cursor)[0]
        return cut_page("state", _BY_KEY, [*self._find(namespace, prefix, after, utc_now(), size + 1)], size)

    def list_namespaces(self, *, prefix: str = "", limit: int = 50, cursor: str | None = None) -> Page[str]:
        """Return a page of the namespaces that have a record and begin with `prefix`, sorted by code points."""
        prefix, size = _check_prefix(prefix), check_limit(limit)
        after = None if cursor is None else decode_cursor("namespaces", _BY_NAMESPACE, cursor)[0]
        found = [_Namespace(name) for name in self._find_namespaces(prefix, after, utc_now(), size + 1)]
        page = cut_page("namespaces", _BY_NAMESPACE, found, size)
        return Page(items=[item.namespace for item in page], cursor=page.cursor)

    def delete_all(self, namespace: str, *, prefix: str = "") -> int:
        """Remove the records of a namespace whose key begins with `prefix`; return their number, expired ones included.

        Each step removes a bounded number of records in a transaction of its own.
        """
        namespace, prefix = check_name("namespace", namespace), _check_prefix(prefix)
        total = 0
        while True:
            removed = self._remove(namespace, prefix, _STEP)
            total += removed
            if removed < _STEP:
                return total

    def _conflict(self, namespace: str, key: str, expected: int | None) -> RevisionConflictError:
        stored = self._load(namespace, key, utc_now())
        revision = 0 if stored is None else stored.revision
        return RevisionConflictError("record", key, expected=expected or 0, stored=revision)

    @abstractmethod
    def _load(self, namespace: str, key: str, now: datetime) -> StateRecord | None:
        """Return the record, unless it has expired at `now`."""

    @abstractmethod
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
        """Store the value in one step, and return its record; one that has expired at `now` counts as none.

        If `expected` is neither None nor the stored revision (0: there is no record), change nothing, and return None.
        """

    @abstractmethod
    def _delete(self, namespace: str, key: str, expected: int | None, now: datetime) -> bool:
        """Remove the record in one step, if `expected` is None or its revision; return whether it was removed."""

    @abstractmethod
    def _restore(self, record: StateRecord, expected: int, now: datetime) -> bool:
        """Store the record as it is, in one step, if `expected` is the stored revision; return whether it was."""

    @abstractmethod
    def _find(self, namespace: str, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[StateRecord]:
        """Return the first records by key after `after`, without those that have expired."""

    @abstractmethod
    def _find_namespaces(self, prefix: str, after: str | None, now: datetime, limit: int) -> Sequence[str]:
        """Return the first namespaces after `after` that have a record which has not expired."""

    @abstractmethod
    def _remove(self, namespace: str, prefix: str, limit: int) -> int:
        """Remove at most `limit` records in one transaction; return their number."""


def _check_expected(value: object, *, least: int = 0) -> int | None:
    return None if value is None else check_natural("expected_revision", value, least=least)


def _check_prefix(value: object) -> str:
    if value == "":
        return ""
    if not isinstance(value, str):
        message = f"prefix must be a string, not {type(value).__name__}."
        raise ValidationError(message)
    return check_name("prefix", value)
