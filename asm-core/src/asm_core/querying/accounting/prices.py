"""Prices of models, and the costs of tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.values.money import check_optional_usd, exactly

_MILLION: Final = 1_000_000
ANY_MODEL: Final = "*"
"""The key of a provider's default price."""


class Tokens(Protocol):
    """Token counts that can be priced."""

    @property
    def input_tokens(self) -> int:
        """Everything that went in."""

    @property
    def cache_read_tokens(self) -> int:
        """The input that was read from a cache."""

    @property
    def cache_write_tokens(self) -> int:
        """The input that was written to a cache."""

    @property
    def cache_write_1h_tokens(self) -> int:
        """The cache writes that are kept for one hour."""

    @property
    def output_tokens(self) -> int:
        """Everything that came out."""


class TokenPrice(msgspec.Struct, frozen=True):
    """The price of a model, in US dollars per million tokens.

    Attributes:
        input: input that is neither read from a cache nor written to it.
        output: output, with reasoning.
        cache_read: input read from a cache; None: as `input`.
        cache_write: input written to a cache; None: as `input`.
        cache_write_1h: input written to a cache for one hour; None: as `cache_write`.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None

    def cost_of(self, tokens: Tokens) -> Decimal:
        """Return the exact cost of `tokens` in US dollars.

        >>> from asm_core import TokenUsage
        >>> usage = TokenUsage(input_tokens=10_500, cache_read_tokens=10_000, output_tokens=20)
        >>> TokenPrice(Decimal(3), Decimal(15), cache_read=Decimal("0.3")).cost_of(usage)
        Decimal('0.0048')
        """
        write = self.input if self.cache_write is None else self.cache_write
        long = tokens.cache_write_1h_tokens
        parts = (
            (tokens.input_tokens - tokens.cache_read_tokens - tokens.cache_write_tokens, self.input),
            (tokens.cache_read_tokens, self.input if self.cache_read is None else self.cache_read),
            (tokens.cache_write_tokens - long, write),
            (long, write if self.cache_write_1h is None else self.cache_write_1h),
            (tokens.output_tokens, self.output),
        )
        with exactly():
            return sum((count * price for count, price in parts), Decimal(0)) / _MILLION


PricingTable = Mapping[str, Mapping[str, TokenPrice]]
"""Prices by provider, then by model; the model ``*`` is the provider's default."""


class Prices(ABC):
    """Finds the price of a model."""

    @abstractmethod
    def price_of(self, provider: str | None, model: str | None) -> TokenPrice | None:
        """Return the price of a provider's model; None if it is unknown."""


class TablePrices(Prices):
    """Prices of a `PricingTable`.

    A model has the price under exactly its name, otherwise under the longest name that it begins with, otherwise the
    default of its provider.
    """

    def __init__(self, table: PricingTable) -> None:
        """Take prices from a checked table."""
        self._table = table

    def price_of(self, provider: str | None, model: str | None) -> TokenPrice | None:
        """Return the price of a provider's model; None if the table has none."""
        models = self._table.get(provider or "")
        if models is None:
            return None
        if model is not None:
            if model in models and model != ANY_MODEL:
                return models[model]
            prefixes = [name for name in models if name != ANY_MODEL and model.startswith(name)]
            if prefixes:
                return models[max(prefixes, key=len)]
        return models.get(ANY_MODEL)


def prices_of(table: object) -> Prices:
    """Return `table` if it finds prices, otherwise the prices of a table.

    Raises:
        ValidationError: see `check_pricing_table`.
    """
    return table if isinstance(table, Prices) else TablePrices(check_pricing_table({} if table is None else table))


_REQUIRED: Final = ("input", "output")
_KEYS: Final = TokenPrice.__struct_fields__
_FORM: Final = (
    "A pricing table is {{provider: {{model: {{'input': Decimal, 'output': Decimal}}}}}}, in US dollars per million "
    "tokens, with optional cache_read, cache_write and cache_write_1h, not {}."
)


def check_pricing_table(value: Any) -> PricingTable:
    """Check a pricing table, ``{provider: {model: {"input": usd, "output": usd}}}`` per million tokens.

    Raises:
        ValidationError: it has another shape or an unknown key, or a price is not a decimal number of at least 0.
    """
    return {
        _check_name("provider", provider): {
            _check_name("model", model): _check_price(f"The price of {short_repr(model)}", price)
            for model, price in _check_table(models).items()
        }
        for provider, models in _check_table(value).items()
    }


def _check_table(value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValidationError(_FORM.format(short_repr(value)))
    return value


def _check_name(kind: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        message = f"A {kind} in a pricing table must be a non-empty string, not {short_repr(value)}."
        raise ValidationError(message)
    return value


def _check_price(field: str, price: object) -> TokenPrice:
    amounts = msgspec.structs.asdict(price) if isinstance(price, TokenPrice) else _check_table(price)
    if missing := [name for name in _REQUIRED if amounts.get(name) is None]:
        message = f"{field} has no {missing[0]}: {_FORM.format(short_repr(price))}"
        raise ValidationError(message)
    if unknown := [name for name in amounts if name not in _KEYS]:
        message = f"{field} has the unknown key {short_repr(unknown[0])}. Known keys: {', '.join(_KEYS)}."
        raise ValidationError(message)
    checked: dict[str, Any] = {name: _check_amount(f"{field} ({name})", amount) for name, amount in amounts.items()}
    return TokenPrice(**checked)


def _check_amount(field: str, value: object) -> Decimal | None:
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except ArithmeticError:
            message = f"{field} must be a decimal number, not {short_repr(value)}."
            raise ValidationError(message) from None
    return check_optional_usd(field, value)
