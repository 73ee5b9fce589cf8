from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integrations.values import equal, nested

import asm_core as asm
from asm_core.integrating import Escapes, escape_payload, readable, restore_payload

TEXTS = st.text(st.characters()) | st.sampled_from(["\0asm:text:", "\0asm:part:0", "asm_parts", "\ud800"])
TIMES = st.datetimes(timezones=st.just(UTC)) | st.datetimes()
SCALARS = TIMES | st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@given(VALUES)
def test_a_value_is_restored_exactly(value: Any) -> None:
    data = asm.Event.new(type="acme.value", session_id="s", data={"value": escape_payload(value)}).data
    assert equal(restore_payload(data["value"]), value)


@pytest.mark.parametrize("levels", [99, 100, 101, 190, 1_000, 20_000])
def test_any_depth_is_restored(levels: int) -> None:
    assert equal(restore_payload(escape_payload(nested(levels))), nested(levels))


def test_an_integer_of_any_size_is_restored() -> None:
    value = [1 << 63, -(1 << 70), 1 << 100_000]
    assert restore_payload(escape_payload(value)) == value


def test_json_stays_as_it_is() -> None:
    value = {"role": "user", "content": ["hällo", 1, 1.5, None, True]}
    assert escape_payload(value) == value


@given(VALUES)
def test_the_fast_path_escapes_as_the_walk_does(value: Any) -> None:
    def escaped() -> Any:
        return escape_payload(value)

    fast = escaped()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asm_core.integrating.escapes._plain", lambda _: None)
        assert equal(fast, escaped())


@pytest.mark.parametrize("value", [[["a"]], {"a": {"b": 1}}])
def test_the_fast_path_copies_containers(value: Any) -> None:
    copy = escape_payload(value)
    assert copy == value
    assert copy is not value


@pytest.mark.parametrize("value", [True, 1, 1.0, [True, 1, 1.0], {"a": 1.0, "b": True}])
def test_the_fast_path_keeps_types_that_compare_equal(value: Any) -> None:
    assert equal(restore_payload(escape_payload(value)), value)


def test_another_type_is_refused() -> None:
    with pytest.raises(asm.ValidationError, match="set"):
        escape_payload([{1}])


def test_a_value_without_escapes_stays_the_same_object() -> None:
    value = {"a": [1, "b", (2.5, float("nan")), b"c"]}
    assert Escapes(to_json=False).escape(value)[0] is value


@dataclass(frozen=True)
class Point:
    x: Any


def test_objects_are_rebuilt_with_their_fields_changed() -> None:
    escapes = Escapes(to_json=False, rebuild=lambda value, change: replace(value, x=change(value.x)))
    value = [Point("\ud800"), {Point(1 << 80): Point(("a",))}]
    parts = escapes.escape(value)
    assert parts[0][0].x.isprintable() is False
    assert parts[0][0].x.encode()
    assert escapes.restore(parts) == value


@given(VALUES)
def test_a_readable_copy_is_a_payload(value: Any) -> None:
    assert asm.Event.new(type="acme.value", session_id="s", data={"value": readable(value)})


def test_a_readable_copy_of_objects_and_depth_is_short() -> None:
    copy = readable({("a", 1): object(), "deep": nested(5_000)})
    assert asm.Event.new(type="acme.value", session_id="s", data=copy)
    assert next(iter(copy)) == "('a', 1)"
