from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asm_core import user_namespace
from asm_core.values.ids import check_name
from asm_core.values.user_namespaces import user_prefix

IDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=120) | st.text(
    st.sampled_from(":%#a3A"), min_size=1, max_size=6
)
NAMES = st.lists(st.text(st.characters(), max_size=200), max_size=3)


@given(IDS, IDS, NAMES)
def test_a_namespace_belongs_to_one_user(first: str, second: str, names: list[str]) -> None:
    namespace = user_namespace(first, *names)
    assert check_name("namespace", namespace) == namespace
    assert namespace.startswith(user_prefix(first))
    assert namespace.startswith(user_prefix(second)) == (first == second)


@given(IDS, NAMES, NAMES)
def test_other_names_have_another_namespace(user_id: str, first: list[str], second: list[str]) -> None:
    is_equal = (first or [""]) == (second or [""])
    assert (user_namespace(user_id, *first) == user_namespace(user_id, *second)) == is_equal
