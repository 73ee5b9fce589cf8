"""Token counts: sums, parts and wholes."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import asm_core as asm
from asm_core import TokenUsage


def test_a_total_is_derived_after_an_addition() -> None:
    run = asm.Run.new(session_id="s", token_usage={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7})
    run = run.add_token_usage({"input_tokens": 5, "output_tokens": 1})
    assert (run.total_tokens, run.token_usage) == (13, {"input_tokens": 10, "output_tokens": 3})


def test_a_given_total_never_replaces_the_sum() -> None:
    assert TokenUsage({"input_tokens": 5, "output_tokens": 2, "total_tokens": 9}).total_tokens == 7


def test_usage_can_be_replaced() -> None:
    run = asm.Run.new(session_id="s", token_usage={"input_tokens": 5}).with_token_usage({"output_tokens": 1})
    assert run.token_usage == {"output_tokens": 1}


def test_canonical_counts_are_attributes() -> None:
    usage = TokenUsage(
        input_tokens=100, cache_read_tokens=60, cache_write_tokens=30, cache_write_1h_tokens=10, output_tokens=9
    )
    found = usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    assert (found, usage.output_tokens, usage.reasoning_tokens) == ((100, 60, 30, 10), 9, 0)


def test_counts_of_an_application_are_kept_and_added() -> None:
    usage = TokenUsage(output_tokens=1, of_acme=4) + {"of_acme": 5}
    assert usage == {"output_tokens": 1, "of_acme": 9}


def test_each_count_is_taken_at_its_greatest() -> None:
    first = TokenUsage(input_tokens=10, cache_read_tokens=8, output_tokens=1)
    later = TokenUsage(input_tokens=10, cache_write_tokens=9, output_tokens=7)
    assert first.greatest(later) == {
        "input_tokens": 17,
        "cache_read_tokens": 8,
        "cache_write_tokens": 9,
        "output_tokens": 7,
    }


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"input_tokens": -1}, "at least 0"),
        ({"input_tokens": True}, "at least 0"),
        ({"input_tokens": 1.0}, "at least 0"),
        ({"input_tokens": None}, "at least 0"),
        ({"": 1}, "must not be empty"),
        ({"input_tokens": 2**62, "output_tokens": 2**62}, "total"),
        ({"total_tokens": 7}, "a total of 7"),
        ({"input_tokens": 5, "cache_read_tokens": 4, "cache_write_tokens": 2}, "but 6 of"),
        ({"output_tokens": 5, "reasoning_tokens": 6}, "reasoning_tokens"),
        ({"input_tokens": 5, "cache_write_1h_tokens": 1}, "cache_write_1h_tokens"),
        ({"prompt_tokens": 5}, "from_provider"),
        ({"inputTokens": 5}, "from_provider"),
        ({"cache_read_input_tokens": 5}, "from_provider"),
        ([("input_tokens", 5)], "must be a dict"),
    ],
)
def test_senseless_counts_are_refused(counts: Any, message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        TokenUsage(counts)


@pytest.mark.parametrize(
    "change",
    [
        lambda usage: usage.update(output_tokens=1),
        lambda usage: usage.__setitem__("output_tokens", 1),
        lambda usage: usage.pop("input_tokens"),
        lambda usage: usage.clear(),
        lambda usage: usage.__ior__({"output_tokens": 1}),
    ],
)
def test_usage_is_immutable(change: Callable[[Any], object]) -> None:
    usage = TokenUsage(input_tokens=5)
    with pytest.raises(TypeError, match="immutable"):
        change(usage)
    assert usage == {"input_tokens": 5}


def pickled(usage: TokenUsage) -> object:
    return pickle.loads(pickle.dumps(usage))  # noqa: S301  the test's own data


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_is_equal_and_of_the_same_type(copied: Callable[[TokenUsage], object]) -> None:
    usage = TokenUsage(input_tokens=5)
    twin = copied(usage)
    assert (twin, type(twin)) == (usage, TokenUsage)


def test_a_run_and_its_dict_are_exact_inverses() -> None:
    run = asm.Run.new(session_id="s", token_usage={"output_tokens": 2, "input_tokens": 5, "of_acme": 1})
    fields = run.to_dict()
    assert fields["token_usage"] == {"output_tokens": 2, "input_tokens": 5, "of_acme": 1}
    again = asm.Run.from_dict(fields)
    assert (again, type(again.token_usage)) == (run, TokenUsage)
