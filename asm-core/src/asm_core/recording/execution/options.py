"""Options of the executions of a manager."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypedDict

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.event_log.waiting import check_wait
from asm_core.querying.accounting.prices import Prices, PricingTable
from asm_core.recording.execution.offloading import Offloading
from asm_core.recording.policies.rules import Policies, Policy
from asm_core.redaction.recorded import Redaction
from asm_core.retrying import RetryPolicy
from asm_core.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from asm_core.models import Run
    from asm_core.ports import Artifacts, ExecutionResult, QueryAPI
    from asm_core.redaction import Redactor

    ContinuationChoice = Literal["auto", "replay", False]

_SHORTEST_LEASE: Final = 1.0


class ManagerOptions(TypedDict, total=False):
    """The options of `SessionManager`, for functions that pass them on."""

    storage_timeout: float
    pricing_table: PricingTable | Prices | None
    retry: RetryPolicy | None
    lease: float
    max_runs: int | None
    parallel_runs: bool
    queue_timeout: float
    max_history_messages: int | None
    max_history_tokens: int | None
    policies: Iterable[Policy]
    query_api: QueryAPI | None
    redactor: Redactor | None
    artifacts: Artifacts | None
    offload_over: int
    tracing: Tracing | None


class Continuation(StrEnum):
    """Which conversation the provider of a run gets."""

    AUTO = "auto"
    """That of the session, unless the provider keeps the conversation itself."""
    REPLAY = "replay"
    """That of the session."""
    NONE = "none"
    """That of the run."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What all executions of a manager have in common.

    Attributes:
        patience: seconds of retries while the store cannot be reached.
        prices: prices for a run without a recorded cost.
        retry: which errors of the provider are tried again.
        lease: seconds for which a run counts as alive without a sign of its process.
        exclusive: whether a session executes one run at a time.
        policies: what a run may use, and which tools it may call.
        redaction: takes secrets out of what is stored.
        offloading: puts large values of what is stored into artifacts, after the redaction.
        max_history_messages: the largest number of messages that the provider gets.
        max_history_tokens: the largest number of tokens of these messages.
        tracing: makes the spans of runs.
    """

    patience: float
    prices: Prices
    retry: RetryPolicy
    lease: float
    exclusive: bool
    policies: Policies
    redaction: Redaction
    offloading: Offloading
    max_history_messages: int | None = None
    max_history_tokens: int | None = None
    tracing: Tracing | None = None

    def stored(self, result: ExecutionResult) -> ExecutionResult:
        """Return what is flushed as it is stored: without secrets, and with large values in artifacts.

        Raises:
            StorageError: an artifact could not be stored.
        """
        return self.offloading.result(self.redaction.result(result))

    def stored_run(self, run: Run) -> Run:
        """Return a run as it is stored; see `stored`."""
        return self.offloading.run(self.redaction.run(run))


def check_continuation(value: object) -> Continuation:
    """Return the continuation that a caller chose.

    Raises:
        ValidationError: it is not ``"auto"``, ``"replay"`` or False.
    """
    if value is False:
        return Continuation.NONE
    if isinstance(value, str) and value in (Continuation.AUTO, Continuation.REPLAY):
        return Continuation(value)
    message = f'continuation must be "auto", "replay" or False, not {short_repr(value)}.'
    raise ValidationError(message)


def check_lease(value: object) -> float:
    """Return the seconds of a lease.

    Raises:
        ValidationError: they are fewer than one.
    """
    seconds = check_wait("lease", value)
    if seconds < _SHORTEST_LEASE:
        message = f"lease must be a number of seconds, at least {_SHORTEST_LEASE:g}, not {short_repr(value)}."
        raise ValidationError(message)
    return seconds
