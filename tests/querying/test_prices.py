"""Prices of models: which one applies, and what tokens cost. The costs are worked out by hand."""

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest

from asm_core import TokenPrice, TokenUsage, ValidationError
from asm_core.querying.accounting.prices import check_pricing_table, prices_of

PRICE = TokenPrice(
    Decimal(3), Decimal(15), cache_read=Decimal("0.3"), cache_write=Decimal("3.75"), cache_write_1h=Decimal(6)
)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        # 10,000 x 0.30 + 500 x 3 = 4,500 millionths
        ({"input_tokens": 10_500, "cache_read_tokens": 10_000}, "0.0045"),
        # 100 x 3 + 200 x 0.3 + (400 - 300) x 3.75 + 300 x 6 + 7 x 15 = 2,640 millionths
        (
            {
                "input_tokens": 700,
                "cache_read_tokens": 200,
                "cache_write_tokens": 400,
                "cache_write_1h_tokens": 300,
                "output_tokens": 7,
                "reasoning_tokens": 5,
            },
            "0.00264",
        ),
        ({"input_tokens": 1, "cache_read_tokens": 1}, "0.0000003"),
        ({}, "0"),
    ],
)
def test_a_cost_is_right_to_the_last_digit(usage: dict[str, int], cost: str) -> None:
    with localcontext(Context(prec=2)):
        assert PRICE.cost_of(TokenUsage(usage)) == Decimal(cost)


def test_a_missing_cache_price_is_that_of_input() -> None:
    """700 x 3 + 7 x 15 = 2,205 millionths, whatever part of the input was cached."""
    usage = TokenUsage(
        input_tokens=700, cache_read_tokens=200, cache_write_tokens=400, cache_write_1h_tokens=300, output_tokens=7
    )
    assert TokenPrice(Decimal(3), Decimal(15)).cost_of(usage) == Decimal("0.002205")


def test_a_missing_price_of_one_hour_is_that_of_a_cache_write() -> None:
    usage = TokenUsage(input_tokens=300, cache_write_tokens=300, cache_write_1h_tokens=300)
    price = TokenPrice(Decimal(3), Decimal(15), cache_write=Decimal(4))
    assert price.cost_of(usage) == Decimal("0.0012")


TABLE = {
    "acme": {
        name: TokenPrice(Decimal(amount), Decimal(amount))
        for name, amount in {"big": 1, "big-2": 2, "big-2-mini": 3, "*": 9}.items()
    },
    "other": {"big": TokenPrice(Decimal(7), Decimal(7))},
}


@pytest.mark.parametrize(
    ("provider", "model", "amount"),
    [
        ("acme", "big", 1),
        ("acme", "big-2", 2),
        ("acme", "big-2-2026-01-01", 2),
        ("acme", "big-2-mini-large", 3),
        ("acme", "bigger", 1),
        ("acme", "small", 9),
        ("acme", "*", 9),
        ("acme", None, 9),
        ("other", "big", 7),
        ("other", "small", None),
        ("other", None, None),
        ("nobody", "big", None),
        (None, "big", None),
    ],
)
def test_a_model_is_matched_exactly_then_by_prefix_then_by_default(
    provider: str | None, model: str | None, amount: int | None
) -> None:
    price = prices_of(TABLE).price_of(provider, model)
    assert (None if price is None else price.input) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ({"input": 1, "output": -1}, "must be at least 0"),
        ({"input": 1, "output": 1, "cache_read": Decimal(-1)}, "must be at least 0"),
        ({"input": 1, "output": 1, "cache_write": "NaN"}, "must be at least 0"),
        ({"input": Decimal("Infinity"), "output": 1}, "must be at least 0"),
        ({"input": 0.5, "output": 1}, "a float is not exact"),
        ({"input": 1, "output": 1, "cached": 1}, "unknown key 'cached'. Known keys: input, output, cache_read"),
        ({"input": 1}, "has no output"),
        (TokenPrice(Decimal(1), Decimal(1), cache_write_1h=Decimal(-1)), "must be at least 0"),
    ],
)
def test_a_senseless_price_is_refused(price: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        check_pricing_table({"acme": {"big": price}})


@pytest.mark.parametrize("table", [{"": {}}, {"acme": {"": {"input": 1, "output": 1}}}])
def test_an_empty_name_is_refused(table: Any) -> None:
    with pytest.raises(ValidationError, match="non-empty"):
        check_pricing_table(table)
