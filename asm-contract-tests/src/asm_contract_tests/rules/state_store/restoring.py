"""Records of state: exact copies, for imports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_record, changed
from asm_core import RevisionConflictError
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from asm_core import StateStore

_DAY = timedelta(days=1)


class RestoreStateContract(Contract):
    """A copy has the revision and the times of its record, and never overwrites another writer's."""

    @pytest.mark.guarantee("G9")
    def test_a_copy_of_a_record_is_exact(self, state: StateStore) -> None:
        """Check all fields of `_restore`, in an empty place and over a stored record."""
        first = a_record(revision=7, expires_at=utc_now() + _DAY)
        assert state.restore(first) == first
        assert state.get("n", "k") == first
        second = a_record(value=[{"b": "\0"}], revision=3, created_at=first.updated_at)
        state.restore(second, expected_revision=7)
        assert state.list("n").items == [second]

    def test_a_restored_record_continues(self, state: StateStore) -> None:
        """Check a put after `_restore`: the next revision, and the first time of creation."""
        record = state.restore(a_record(revision=7))
        stored = state.put("n", "k", 2, expected_revision=7)
        assert (stored.revision, stored.created_at) == (8, record.created_at)

    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_copy_that_expects_another_revision_changes_nothing(self, state: StateStore, expected: int) -> None:
        """Check the comparison of `_restore`, and the revision in the error."""
        state.put("n", "k", 1)
        stored = state.put("n", "k", 2)
        with pytest.raises(RevisionConflictError) as caught:
            state.restore(a_record(), expected_revision=expected)
        assert (caught.value.details["revision"], state.get("n", "k")) == (2, stored)

    @pytest.mark.guarantee("G8")
    def test_a_copy_that_expects_a_revision_creates_nothing(self, state: StateStore) -> None:
        """Check `_restore` with a revision of a record that does not exist."""
        with pytest.raises(RevisionConflictError):
            state.restore(a_record(), expected_revision=1)
        assert state.get("n", "k") is None

    def test_a_copy_replaces_an_expired_record(self, state: StateStore) -> None:
        """Check `_restore`: a record that has expired counts as none."""
        state.put("n", "k", 1, expires_at=utc_now() - _DAY)
        with pytest.raises(RevisionConflictError):
            state.restore(a_record(), expected_revision=1)
        assert state.get("n", "k") is None
        assert state.restore(a_record()) == state.get("n", "k")

    @pytest.mark.guarantee("G8")
    def test_of_several_copies_at_once_one_is_stored(self, state: StateStore) -> None:
        """Look for a read and a write with a gap between them."""

        def restore(number: int) -> bool:
            try:
                state.restore(changed(a_record(), value=number))
            except RevisionConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(restore, range(8))) == 1
