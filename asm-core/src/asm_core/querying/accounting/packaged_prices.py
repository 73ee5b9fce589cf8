"""Prices of the package genai-prices, which the extra ``asm-core[prices]`` installs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import DependencyNotAvailableError
from asm_core.querying.accounting.prices import Prices, TokenPrice

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = "genai-prices"
_MODULE: Final = "genai_prices"
_DATE: Final = re.compile(r"\b20\d\d-\d\d-\d\d\b")


def has_packaged_prices() -> bool:
    """Return whether the package is installed."""
    return importlib.util.find_spec(_MODULE) is not None


class PackagedPrices(Prices):
    """The current prices of the package genai-prices, by its names and aliases of providers and models.

    A price in tiers is that of the first tier. A provider that the package does not list has no prices: a model may
    cost something else there.

    Attributes:
        source: the name and version of the package.
        data_date: the date of its data: the latest date, up to today, at which a price was changed or checked.
    """

    def __init__(self) -> None:
        """Load the data of the package.

        Raises:
            DependencyNotAvailableError: the package is not installed.
        """
        try:
            snapshots: Any = importlib.import_module(f"{_MODULE}.data_snapshot")
        except ImportError as error:
            message = f"Prices need the package {PACKAGE}. Install asm-core[prices]."
            raise DependencyNotAvailableError(message) from error
        self._snapshot = snapshots.get_snapshot()
        self._now = datetime.now(UTC)
        self.source = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
        self.data_date = self._date_of_data()

    def price_of(self, provider: str | None, model: str | None) -> TokenPrice | None:
        """Return the current price of a provider's model; None if the package does not list it."""
        if not provider or not model:
            return None
        try:
            _, found = self._snapshot.find_provider_model(model, None, provider, None)
        except LookupError:
            return None
        prices = found.get_prices(self._now)
        given, made = _amount(prices, "input"), _amount(prices, "output")
        if given is None or made is None:
            return None
        return TokenPrice(
            given, made, *(_amount(prices, kind) for kind in ("cache_read", "cache_write", "cache_write_1h"))
        )

    def _date_of_data(self) -> date:
        if self._snapshot.from_auto_update:
            fetched: datetime = self._snapshot.timestamp
            return fetched.date()
        today = self._now.date()
        return max((found for found in self._dates() if found <= today), default=date.min)

    def _dates(self) -> Iterator[date]:
        for provider in self._snapshot.providers:
            for priced in (provider, *provider.models):
                yield from map(date.fromisoformat, _DATE.findall(priced.price_comments or ""))
            for model in provider.models:
                for price in model.prices if isinstance(model.prices, list) else ():
                    start = getattr(price.constraint, "start_date", None)
                    if start is not None:
                        yield start


def _amount(prices: Any, kind: str) -> Decimal | None:
    """Return a price per million tokens; in tiers, that of the first one."""
    price = getattr(prices, f"{kind}_mtok", None)
    found = getattr(price, "base", price)
    return found if isinstance(found, Decimal) else None
