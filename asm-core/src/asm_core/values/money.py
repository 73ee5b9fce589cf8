"""Exact money: US dollars as `Decimal` in models, and integers of 10**-9 US dollars in databases."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import TYPE_CHECKING

from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

DECIMAL_PLACES = 9
_MAX_NANOS = (1 << 63) - 1


def check_optional_usd(field: str, value: object) -> Decimal | None:
    """Return `value` as an amount of US dollars, or None.

    Raises:
        ValidationError: it is not a Decimal or int, is negative, not finite, or finer than 10**-9, or exceeds 64 bits.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        message = f"{field} must be a Decimal, not {short_repr(value)}; a float is not exact."
        raise ValidationError(message)
    amount = Decimal(value)
    if amount.is_finite() and amount >= 0:
        kept = usd_from_nanos(nanos_from_usd(amount))
        if kept == amount:
            return kept
    message = (
        f"{field} must be at least 0, below 2**63 billionths and have at most {DECIMAL_PLACES} decimal places, "
        f"not {short_repr(value)}."
    )
    raise ValidationError(message)


def exactly() -> AbstractContextManager[Context]:
    """Use a decimal context in which sums and prices are exact, independent of the caller's context."""
    return localcontext(Context(prec=80))


def total_usd(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum of `amounts`."""
    with exactly():
        return sum(amounts, Decimal(0))


def rounded_usd(amount: Decimal) -> Decimal:
    """Return an amount of at least 0 rounded to 10**-9 US dollars, half to even, and limited to 64 bits."""
    with exactly():
        return usd_from_nanos(min(int(amount.scaleb(DECIMAL_PLACES).to_integral_value(ROUND_HALF_EVEN)), _MAX_NANOS))


def nanos_from_usd(amount: Decimal) -> int:
    """Return `amount` in 10**-9 US dollars, rounded down and limited to 64 bits."""
    if amount.adjusted() > 9:  # noqa: PLR2004  64 bits hold ten digits before the point
        return _MAX_NANOS
    with exactly():
        return min(int(amount.scaleb(DECIMAL_PLACES)), _MAX_NANOS)


def usd_from_nanos(nanos: int) -> Decimal:
    """Convert 10**-9 US dollars to a `Decimal` without trailing zeros.

    >>> usd_from_nanos(1_500_000_000)
    Decimal('1.5')
    """
    digits = str(nanos)
    whole, fraction = digits[:-DECIMAL_PLACES] or "0", digits[-DECIMAL_PLACES:].rjust(DECIMAL_PLACES, "0").rstrip("0")
    return Decimal(f"{whole}.{fraction}" if fraction else whole)
