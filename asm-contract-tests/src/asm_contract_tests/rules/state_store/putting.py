"""Records of state: stored, compared, expired and deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_core import Backend, RevisionConflictError, StateStore
from asm_core.values.times import utc_now

_PAST = timedelta(days=1)


class PutStateContract(Contract):
    """A record counts its revisions, and a writer that expects one never overwrites another."""

    @pytest.mark.guarantee("G6")
    @pytest.mark.parametrize(
        "value", [None, True, 0, 2**63, -1.5, "", "a\0b", [], [1, [2]], {}, {"b": 1, "a": {"\0": None}}]
    )
    def test_a_value_is_read_as_it_was_put(self, state: StateStore, value: Any) -> None:
        """Check `_put` and `_load`: any JSON value, of the same type."""
        stored = state.put("n", "k", value)
        assert state.get("n", "k") == stored
        assert (stored.value, type(stored.value), stored.revision) == (value, type(value), 1)

    @pytest.mark.guarantee("G7")
    def test_an_unknown_record_is_none(self, state: StateStore) -> None:
        """Check `_load`: the namespace and the key must both be the same."""
        state.put("n", "k", 1)
        assert [state.get("n", "K"), state.get("N", "k"), state.get("k", "n")] == [None] * 3

    def test_each_put_counts_a_revision(self, state: StateStore) -> None:
        """Check `_put`: one more than before, and the first time of creation."""
        first, second = state.put("n", "k", 1), state.put("n", "k", 2)
        assert (second.revision, second.created_at, second.value) == (2, first.created_at, 2)
        assert state.get("n", "k") == second

    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_put_that_expects_another_revision_changes_nothing(self, state: StateStore, expected: int) -> None:
        """Check the comparison of `_put`, and the revision in the error."""
        state.put("n", "k", 1)
        stored = state.put("n", "k", 2)
        with pytest.raises(RevisionConflictError) as caught:
            state.put("n", "k", 3, expected_revision=expected)
        assert (caught.value.details["revision"], state.get("n", "k")) == (2, stored)

    @pytest.mark.guarantee("G8")
    def test_a_put_that_expects_a_revision_creates_nothing(self, state: StateStore) -> None:
        """Check `_put` with a revision of a record that does not exist."""
        with pytest.raises(RevisionConflictError):
            state.put("n", "k", 1, expected_revision=1)
        assert state.get("n", "k") is None

    @pytest.mark.guarantee("G8")
    def test_of_several_writers_of_one_revision_one_succeeds(self, state: StateStore) -> None:
        """Look for a read and a write with a gap between them."""
        state.put("n", "k", "old")

        def put(number: int) -> bool:
            try:
                state.put("n", "k", number, expected_revision=1)
            except RevisionConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(put, range(8))) == 1

    def test_an_expired_record_does_not_exist(self, state: StateStore) -> None:
        """Check that all primitives compare `expires_at`."""
        state.put("n", "k", 1)
        state.put("n", "k", 2, expires_at=utc_now() - _PAST)
        assert (state.get("n", "k"), state.list("n").items, state.list_namespaces().items) == (None, [], [])
        assert not state.delete("n", "k")

    def test_an_expired_record_is_created_again(self, state: StateStore) -> None:
        """Check `_put`: it counts as none, also for `expected_revision`."""
        state.put("n", "k", 1)
        state.put("n", "k", 2, expires_at=utc_now() - _PAST)
        with pytest.raises(RevisionConflictError):
            state.put("n", "k", 3, expected_revision=2)
        stored = state.put("n", "k", 3, expected_revision=0)
        assert (stored.revision, stored.created_at, state.get("n", "k")) == (1, stored.updated_at, stored)

    def test_a_record_lives_until_it_expires(self, state: StateStore) -> None:
        """Check that a time in the future is kept, and that a put without one removes it."""
        until = utc_now() + _PAST
        assert state.put("n", "k", 1, expires_at=until).expires_at == until
        found = state.get("n", "k")
        assert found is not None
        assert found.expires_at == until
        assert state.put("n", "k", 1).expires_at is None

    def test_a_deletion_returns_whether_there_was_a_record(self, state: StateStore) -> None:
        """Check `_delete`, which removes this record only."""
        state.put("n", "k", 1)
        other = state.put("n", "l", 1)
        assert [state.delete("n", "k"), state.delete("n", "k")] == [True, False]
        assert state.list("n").items == [other]

    @pytest.mark.guarantee("G8")
    def test_a_deletion_that_expects_another_revision_deletes_nothing(self, state: StateStore) -> None:
        """Check the comparison of `_delete`."""
        stored = state.put("n", "k", 1)
        with pytest.raises(RevisionConflictError):
            state.delete("n", "k", expected_revision=2)
        assert state.get("n", "k") == stored
        assert state.delete("n", "k", expected_revision=1)

    @pytest.mark.guarantee("G16")
    @pytest.mark.requires("transactions")
    def test_a_record_is_rolled_back_with_its_transaction(self, backend: Backend) -> None:
        """Check that the bound state store joins."""
        kept = backend.state_store.put("n", "k", 1)

        def fail() -> None:
            with backend.transaction() as ports:
                ports.state_store.put("n", "k", 2)
                ports.state_store.put("n", "l", 2)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert backend.state_store.list("n").items == [kept]
