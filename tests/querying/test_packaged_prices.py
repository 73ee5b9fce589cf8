"""Prices of the package that the extra `prices` installs."""

import importlib
import sys
from datetime import UTC, date, datetime

import pytest

from asm_core import DependencyNotAvailableError, TokenUsage
from asm_core.querying.accounting.packaged_prices import PackagedPrices


@pytest.fixture(scope="module")
def prices() -> PackagedPrices:
    return PackagedPrices()


def test_a_known_model_has_prices_of_cached_input_too(prices: PackagedPrices) -> None:
    price = prices.price_of("anthropic", "claude-sonnet-4-5")
    assert price is not None
    assert price.cache_read is not None
    assert price.cache_write is not None
    assert price.cache_write_1h is not None
    assert 0 < price.cache_read < price.input < price.cache_write < price.cache_write_1h < price.output


def test_costs_are_those_of_the_package(prices: PackagedPrices) -> None:
    genai_prices = importlib.import_module("genai_prices")
    usage = {"input_tokens": 10_500, "cache_read_tokens": 10_000, "output_tokens": 20}
    price = prices.price_of("openai", "gpt-4o-2024-08-06")
    assert price is not None
    expected = genai_prices.calc_price(genai_prices.Usage(**usage), "gpt-4o-2024-08-06", provider_id="openai")
    assert price.cost_of(TokenUsage(usage)) == expected.total_price


@pytest.mark.parametrize(
    ("provider", "model"),
    [("no such provider", "gpt-4o"), ("openai", "no such model"), (None, "gpt-4o"), ("openai", None)],
)
def test_what_the_package_does_not_list_has_no_price(
    prices: PackagedPrices, provider: str | None, model: str | None
) -> None:
    assert prices.price_of(provider, model) is None


def test_the_data_has_a_source_and_a_date(prices: PackagedPrices) -> None:
    assert prices.source.startswith("genai-prices ")
    assert date(2026, 1, 1) < prices.data_date <= datetime.now(UTC).date()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    with pytest.raises(DependencyNotAvailableError, match=r"Install asm-core\[prices\]"):
        PackagedPrices()
