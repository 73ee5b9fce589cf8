"""Totals of backends, and the summaries that are built from them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import msgspec

from asm_core.models import TOKEN_COUNTS, Artifact, Run, RunStatus, Session, StoredEvent
from asm_core.models.base import Model
from asm_core.values.money import total_usd
from asm_core.values.schemas import Described

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_ZERO = Decimal(0)


class TokenSums(Described, frozen=True, kw_only=True):
    """Sums of token counts."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0

    @staticmethod
    def fields(sums: Iterable[Sequence[int]]) -> dict[str, Any]:
        """Return the fields of the sum of several sums, each in the order of `TOKEN_COUNTS`."""
        counts = dict(zip(TOKEN_COUNTS, map(sum, zip(*sums, strict=True)), strict=False))
        return {**counts, "total_tokens": counts.get("input_tokens", 0) + counts.get("output_tokens", 0)}


class UsageTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of the runs of one group.

    Attributes:
        key: the values of the query's `group_by`, and with a `bucket` its number.
        run_count: the number of runs.
        tokens: the sums of the counts, in the order of `TOKEN_COUNTS`.
    """

    key: tuple[Any, ...]
    run_count: int
    tokens: tuple[int, ...]


class CostTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded costs of the runs of one group.

    The `unpriced_*` fields count only runs without a recorded cost.

    Attributes:
        key: the values of the query's `group_by`, and with a `bucket` its number.
        run_count: the number of runs.
        cost_usd: the sum of the recorded costs.
        unpriced_run_count: the number of runs without a recorded cost.
        uncounted_run_count: the number of these that have no tokens either.
        unpriced_tokens: the sums of the counts, in the order of `TOKEN_COUNTS`.
    """

    key: tuple[Any, ...]
    run_count: int
    cost_usd: Decimal
    unpriced_run_count: int
    uncounted_run_count: int
    unpriced_tokens: tuple[int, ...]


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of the runs of one session in one status; `tokens` are in the order of `TOKEN_COUNTS`."""

    session_id: str
    status: RunStatus
    run_count: int
    tokens: tuple[int, ...]
    cost_usd: Decimal
    unpriced_run_count: int


class EventTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The number of stored events of one session, and the times of the earliest and the latest."""

    session_id: str
    event_count: int
    first_event_at: datetime
    last_event_at: datetime


class SessionStats(TokenSums, frozen=True, kw_only=True):
    """The statistics of a session.

    Attributes:
        event_count: the number of stored events, without pruned ones.
        runs_by_status: the number of runs in each status that occurs.
        cost_usd: the sum of the recorded costs of the runs; None if there are runs and none has a cost.
        unpriced_run_count: the number of runs without a recorded cost.
    """

    session_id: str
    event_count: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    run_count: int = 0
    runs_by_status: dict[RunStatus, int] = msgspec.field(default_factory=dict)
    cost_usd: Decimal | None = _ZERO
    unpriced_run_count: int = 0

    @classmethod
    def of(cls, session_id: str, events: EventTotals | None, runs: Iterable[RunTotals]) -> Self:
        """Build the statistics of a session from the totals of its events and of its runs in each status."""
        runs = sorted(runs, key=lambda total: list(RunStatus).index(total.status))
        run_count = sum(total.run_count for total in runs)
        unpriced = sum(total.unpriced_run_count for total in runs)
        return cls(
            session_id=session_id,
            event_count=events.event_count if events else 0,
            first_event_at=events.first_event_at if events else None,
            last_event_at=events.last_event_at if events else None,
            run_count=run_count,
            runs_by_status={total.status: total.run_count for total in runs},
            cost_usd=known_cost(total_usd(total.cost_usd for total in runs), run_count, unpriced),
            unpriced_run_count=unpriced,
            **TokenSums.fields(total.tokens for total in runs),
        )


class ArtifactStats(Described, frozen=True, kw_only=True):
    """The number of live artifacts of a session, and the sum of their bytes."""

    session_id: str
    artifact_count: int = 0
    total_bytes: int = 0


class SessionExport(Model, frozen=True, kw_only=True):
    """A session with all its records. ``to_dict`` and ``from_dict`` are JSON-shaped and exact inverses."""

    session: Session
    runs: list[Run]
    events: list[StoredEvent]
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


def known_cost(cost: Decimal, run_count: int, unpriced_run_count: int) -> Decimal | None:
    """Return the cost of several runs; None if they exist and none has a known cost."""
    return None if 0 < run_count == unpriced_run_count else cost
