"""Sums beyond 64 bits, and the decoding of rows of totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import short_repr
from asm_core.models import RUN_STATUSES, TOKEN_COUNTS
from asm_core.querying.accounting.summaries import CostTotals, EventTotals, RunTotals, UsageTotals
from asm_core.sql.rows.codec import UNREADABLE, unreadable
from asm_core.values.money import usd_from_nanos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.sql.rows.codec import Codec

_TOKENS: Final = len(TOKEN_COUNTS)
HALF: Final = 32
"""Bits of a low half. SQLite's SUM fails beyond 64 bits, so high and low halves are summed separately."""


def whole_sum(high: int | None, low: int | None) -> int:
    """Join the halves of a sum; 0 without rows."""
    return (int(high or 0) << HALF) + int(low or 0)


def usage_totals(row: Sequence[Any]) -> UsageTotals:
    """Decode a row: its key, runs, the sums of the token counts."""
    return _usage_totals(row, list(map(int, row[-_TOKENS:])), _TOKENS)


def exact_usage_totals(row: Sequence[Any]) -> UsageTotals:
    """Decode a row: its key, runs, the halves of the sums of the token counts."""
    return _usage_totals(row, _wholes(row[-2 * _TOKENS :]), 2 * _TOKENS)


def cost_totals(row: Sequence[Any]) -> CostTotals:
    """Decode a row: its key, runs, unpriced runs, those of them without tokens, then the halves of the sums.

    The sums are the cost in 10**-9 US dollars, and the token counts of runs without a cost.
    """
    sums = 2 * (1 + _TOKENS)
    run_count, unpriced, uncounted = row[-sums - 3 : -sums]
    cost, *tokens = _wholes(row[-sums:])
    return CostTotals(
        key=tuple(row[: -sums - 3]),
        run_count=run_count,
        cost_usd=usd_from_nanos(cost),
        unpriced_run_count=unpriced,
        uncounted_run_count=uncounted,
        unpriced_tokens=tuple(tokens),
    )


def run_totals(row: Sequence[Any]) -> RunTotals:
    """Decode a row: session, status, runs, unpriced runs, then the halves of the sums of costs and token counts."""
    session_id, status, run_count, unpriced = row[:4]
    cost, *tokens = _wholes(row[4:])
    try:
        return RunTotals(
            session_id=session_id,
            status=RUN_STATUSES[status],
            run_count=run_count,
            tokens=tuple(tokens),
            cost_usd=usd_from_nanos(cost),
            unpriced_run_count=unpriced,
        )
    except UNREADABLE as error:
        raise unreadable(f"A run of session {short_repr(session_id)}", session_id, error) from error


def event_totals(row: Sequence[Any], codec: Codec) -> EventTotals:
    """Decode a row: session, events, the times of the first and the last one."""
    session_id, count, first, last = row
    try:
        return EventTotals(
            session_id=session_id,
            event_count=count,
            first_event_at=codec.decode_time(first),
            last_event_at=codec.decode_time(last),
        )
    except UNREADABLE as error:
        raise unreadable(f"An event of session {short_repr(session_id)}", session_id, error) from error


def _usage_totals(row: Sequence[Any], tokens: list[int], width: int) -> UsageTotals:
    return UsageTotals(key=tuple(row[: -width - 1]), run_count=row[-width - 1], tokens=tuple(tokens))


def _wholes(halves: Sequence[int | None]) -> list[int]:
    return [whole_sum(high, low) for high, low in zip(halves[::2], halves[1::2], strict=True)]
