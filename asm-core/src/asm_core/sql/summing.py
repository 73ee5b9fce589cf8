"""Sums beyond 64 bits, and the decoding of rows of totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import shown
from asm_core.models import RUN_STATUSES
from asm_core.querying.summaries import CostTotals, EventTotals, RunTotals, UsageRow
from asm_core.sql.codec import UNREADABLE, unreadable
from asm_core.values.money import usd_from_nanos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.sql.codec import Codec

_TOKENS: Final = 3
HALF: Final = 32
"""Bits of a low half. SQLite's SUM fails beyond 64 bits, so high and low halves are summed separately."""


def whole_sum(high: int | None, low: int | None) -> int:
    """Join the halves of a sum; 0 without rows."""
    return (int(high or 0) << HALF) + int(low or 0)


def usage_row(row: Sequence[Any]) -> UsageRow:
    """Decode a row: provider, model, runs; input, output and total tokens, or the halves of each of these."""
    provider, model, run_count, *sums = row
    used, given, total = map(int, sums) if len(sums) == _TOKENS else _wholes(sums)
    return UsageRow(
        provider=provider, model=model, run_count=run_count, input_tokens=used, output_tokens=given, total_tokens=total
    )


def cost_totals(row: Sequence[Any]) -> CostTotals:
    """Decode a row: provider, model, runs, unpriced runs, then the halves of three sums.

    The sums are the cost in 10**-9 US dollars, and the input and output tokens of runs without a cost.
    """
    provider, model, run_count, unpriced_run_count = row[:4]
    cost, used, given = _wholes(row[4:])
    return CostTotals(
        provider=provider,
        model=model,
        run_count=run_count,
        cost_usd=usd_from_nanos(cost),
        unpriced_run_count=unpriced_run_count,
        unpriced_input_tokens=used,
        unpriced_output_tokens=given,
    )


def run_totals(row: Sequence[Any]) -> RunTotals:
    """Decode a row: session, status, runs, then the halves of four sums: tokens as in a usage, and cost."""
    session_id, status, run_count = row[:3]
    used, given, total, cost = _wholes(row[3:])
    try:
        return RunTotals(
            session_id=session_id,
            status=RUN_STATUSES[status],
            run_count=run_count,
            input_tokens=used,
            output_tokens=given,
            total_tokens=total,
            cost_usd=usd_from_nanos(cost),
        )
    except UNREADABLE as error:
        raise unreadable(f"A run of session {shown(session_id)}", session_id, error) from error


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
        raise unreadable(f"An event of session {shown(session_id)}", session_id, error) from error


def _wholes(halves: Sequence[int | None]) -> list[int]:
    return [whole_sum(high, low) for high, low in zip(halves[::2], halves[1::2], strict=True)]
