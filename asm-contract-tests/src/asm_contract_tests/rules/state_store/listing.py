"""Records of state: listed in pages, and removed by prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.contract import Contract
from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from asm_core import StateStore

_KEYS = ["B", "a", "a%", "a\ud7ff", "a\ue000", "a\U0010ffff", "a_", "ab", "b", "\U0010ffff", "é"]


class ListStateContract(Contract):
    """Keys and namespaces are listed by code points, from a prefix."""

    @pytest.mark.guarantee("G10")
    def test_records_are_listed_by_key(self, state: StateStore) -> None:
        """Check the order of `_find`: code points, whatever the collation."""
        for key in _KEYS:
            state.put("n", key, key)
        state.put("other", "k", 1)
        assert [record.value for record in state.list("n")] == sorted(_KEYS)

    @pytest.mark.parametrize("prefix", ["a", "a%", "a_", "a\ud7ff", "\U0010ffff", "A", "abc"])
    def test_a_prefix_is_compared_exactly(self, state: StateStore, prefix: str) -> None:
        """Look for a pattern, a comparison without case, and an end of the range that is wrong."""
        for key in _KEYS:
            state.put("n", key, 1)
            state.put(key, "k", 1)
        expected = sorted(key for key in _KEYS if key.startswith(prefix))
        assert [record.key for record in state.list("n", prefix=prefix)] == expected
        assert state.list_namespaces(prefix=prefix).items == expected

    @pytest.mark.guarantee("G14")
    def test_pages_hold_each_record_once(self, state: StateStore) -> None:
        """Check the key after which `_find` and `_find_namespaces` begin."""
        for key in _KEYS:
            state.put("n", key, 1)
            state.put(key, "k", 1)
        assert len(state.list("n", limit=3)) == len(state.list_namespaces(limit=3)) == 3
        assert [found.key for found in all_items(state.list, namespace="n", limit=3)] == sorted(_KEYS)
        assert list(all_items(state.list_namespaces, limit=3)) == sorted([*_KEYS, "n"])

    def test_a_namespace_is_listed_while_it_has_records(self, state: StateStore) -> None:
        """Check `_find_namespaces` after several puts and a deletion."""
        for key in ("k", "l"):
            state.put("n", key, 1)
        assert state.list_namespaces().items == ["n"]
        assert state.delete_all("n") == 2
        assert state.list_namespaces().items == []

    def test_records_of_a_prefix_are_removed(self, state: StateStore) -> None:
        """Check `_remove`: the records of the prefix, in this namespace."""
        for key in _KEYS:
            state.put("n", key, 1)
        other = state.put("m", "a", 1)
        assert state.delete_all("n", prefix="a") == sum(key.startswith("a") for key in _KEYS)
        assert [record.key for record in state.list("n")] == sorted(key for key in _KEYS if not key.startswith("a"))
        assert state.list("m").items == [other]
