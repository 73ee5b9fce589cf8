from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from asm_core.integrating import composed_id
from asm_core.values.ids import MAX_NAME_BYTES, check_name

ANY_TEXT = st.text(st.characters(), max_size=20) | st.text(st.sampled_from(":%#a\0\ud8003A"), max_size=6)


@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=4))
def test_different_parts_have_different_ids(first: list[str], second: list[str]) -> None:
    assert (composed_id("k", *first) == composed_id("k", *second)) == (first == second)


@given(st.lists(st.text(st.characters(), max_size=400), min_size=1, max_size=3))
def test_a_composed_id_is_a_valid_id(parts: list[str]) -> None:
    assert check_name("id", composed_id("k", *parts))


def test_long_parts_have_different_ids() -> None:
    ids = {composed_id("k", "x" * length, "y" * rest) for length, rest in product(range(480, 560), range(3))}
    assert len(ids) == 240
    assert all(len(one) <= MAX_NAME_BYTES for one in ids)


def test_a_short_part_is_not_mistaken_for_a_hash() -> None:
    long = composed_id("k", "x" * 600)
    assert composed_id("k", long.removeprefix("k:")) != long
