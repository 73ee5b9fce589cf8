"""Totals of backends, and the summaries that are built from them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import msgspec

from asm_core.models import Artifact, Event, Run, RunStatus, Session
from asm_core.models.base import Model
from asm_core.values.money import exactly, total_usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.querying.prices import Prices

_ZERO = Decimal(0)


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of the runs of one provider and model."""

    provider: str | None
    model: str | None
    run_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int


class CostTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded costs of the runs of one provider and model.

    The `unpriced_*` fields count only runs without a recorded cost.
    """

    provider: str | None
    model: str | None
    run_count: int
    cost_usd: Decimal
    unpriced_run_count: int
    unpriced_input_tokens: int
    unpriced_output_tokens: int


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of the runs of one session in one status."""

    session_id: str
    status: RunStatus
    run_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: Decimal


class EventTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The number of stored events of one session, and the times of the earliest and the latest."""

    session_id: str
    event_count: int
    first_event_at: datetime
    last_event_at: datetime


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics of a session.

    Attributes:
        event_count: the number of stored events, without pruned ones.
        runs_by_status: the number of runs in each status that occurs.
        cost_usd: the sum of the recorded costs of the runs.
    """

    session_id: str
    event_count: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    run_count: int = 0
    runs_by_status: dict[RunStatus, int] = msgspec.field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost_usd: Decimal = _ZERO

    @classmethod
    def of(cls, session_id: str, events: EventTotals | None, runs: Iterable[RunTotals]) -> Self:
        """Build the statistics of a session from the totals of its events and of its runs in each status."""
        runs = sorted(runs, key=lambda total: list(RunStatus).index(total.status))
        return cls(
            session_id=session_id,
            event_count=events.event_count if events else 0,
            first_event_at=events.first_event_at if events else None,
            last_event_at=events.last_event_at if events else None,
            run_count=sum(total.run_count for total in runs),
            runs_by_status={total.status: total.run_count for total in runs},
            input_tokens=sum(total.input_tokens for total in runs),
            output_tokens=sum(total.output_tokens for total in runs),
            total_tokens=sum(total.total_tokens for total in runs),
            cost_usd=total_usd(total.cost_usd for total in runs),
        )


class UsageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens that runs used: in total, and by provider and model (None for runs without one)."""

    run_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    rows: list[UsageRow]

    @classmethod
    def of(cls, rows: Iterable[UsageRow]) -> Self:
        """Build the summary from a backend's totals."""
        rows = sorted(rows, key=_provider_and_model)
        return cls(
            run_count=sum(row.run_count for row in rows),
            input_tokens=sum(row.input_tokens for row in rows),
            output_tokens=sum(row.output_tokens for row in rows),
            total_tokens=sum(row.total_tokens for row in rows),
            rows=rows,
        )


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of the runs of one provider and model, in US dollars.

    `cost_usd` adds the recorded costs and, for runs without one, the prices of the pricing table. `unpriced_run_count`
    counts the runs that have neither.
    """

    provider: str | None
    model: str | None
    run_count: int
    unpriced_run_count: int
    cost_usd: Decimal


class CostSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of runs in US dollars: in total, and by provider and model."""

    run_count: int
    unpriced_run_count: int
    total_cost_usd: Decimal
    rows: list[CostRow]

    @classmethod
    def of(cls, rows: Iterable[CostTotals], prices: Prices) -> Self:
        """Build the costs from a backend's totals."""
        with exactly():
            costs = [_cost_row(row, prices) for row in sorted(rows, key=_provider_and_model)]
        return cls(
            run_count=sum(row.run_count for row in costs),
            unpriced_run_count=sum(row.unpriced_run_count for row in costs),
            total_cost_usd=total_usd(row.cost_usd for row in costs),
            rows=costs,
        )


class ArtifactStats(msgspec.Struct, frozen=True, kw_only=True):
    """The number of live artifacts of a session, and the sum of their bytes."""

    session_id: str
    artifact_count: int = 0
    total_bytes: int = 0


class SessionExport(Model, frozen=True, kw_only=True):
    """A session with all its records. ``to_dict`` and ``from_dict`` are JSON-shaped and exact inverses."""

    session: Session
    runs: list[Run]
    events: list[Event]
    artifacts: list[Artifact] = msgspec.field(default_factory=list)
    last_sequence: int

    def checked(self) -> Self:
        """Return an equal export with each model checked."""
        return type(self)(
            session=self.session.checked(),
            runs=[run.checked() for run in self.runs],
            events=[event.checked() for event in self.events],
            artifacts=[artifact.checked() for artifact in self.artifacts],
            last_sequence=self.last_sequence,
        )


def _cost_row(row: CostTotals, prices: Prices) -> CostRow:
    price = prices.price_of(row.provider, row.model)
    cost, unpriced = row.cost_usd, row.unpriced_run_count
    if price is not None:
        cost += (row.unpriced_input_tokens * price.input + row.unpriced_output_tokens * price.output) / 1_000_000
        unpriced = 0
    return CostRow(
        provider=row.provider, model=row.model, run_count=row.run_count, unpriced_run_count=unpriced, cost_usd=cost
    )


def _provider_and_model(row: UsageRow | CostTotals) -> tuple[str, str]:
    # The order of the result must not depend on where a database sorts NULL.
    return row.provider or "", row.model or ""
