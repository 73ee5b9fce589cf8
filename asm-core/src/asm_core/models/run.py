"""Runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self

import msgspec

from asm_core.models.base import Model, check_natural
from asm_core.models.statuses import RUN_STEPS, TERMINAL_RUN_STATUSES, RunStatus, check_run_status, check_step
from asm_core.models.token_usage import TokenUsage
from asm_core.values.ids import check_name, check_optional_name, new_id
from asm_core.values.money import check_optional_usd
from asm_core.values.payloads import Payload, check_optional_payload, check_payload
from asm_core.values.times import check_optional_time, check_time, utc_now


class Run(Model, frozen=True, kw_only=True):
    """One execution in a session.

    Attributes:
        id: ``run_`` and 32 hex digits, or an id that the caller chose.
        session_id: the session it belongs to.
        status: its status; see `with_status`.
        input: the input of the agent.
        output: the result of the run.
        error: the reason of a failure.
        metadata: any data of the application.
        turn_count: the number of turns so far.
        token_usage: token counts.
        started_at: the time of its creation.
        ended_at: the time at which it reached a final status.
        provider: the name of the provider that executed it.
        provider_metadata: metadata of the provider; usage is summed by its key ``model``.
        cost_usd: its cost in US dollars, exact to 10**-9.
        revision: the number of its saves, as the store counts them; 0 while it is not stored.
    """

    id: str
    session_id: str
    status: RunStatus = RunStatus.PENDING
    input: Payload | None = None
    output: Payload | None = None
    error: Payload | None = None
    metadata: Payload = msgspec.field(default_factory=dict)
    turn_count: int = 0
    token_usage: TokenUsage = msgspec.field(default_factory=TokenUsage)
    started_at: datetime
    ended_at: datetime | None = None
    provider: str | None = None
    provider_metadata: Payload = msgspec.field(default_factory=dict)
    cost_usd: Decimal | None = None
    revision: int = 0

    named: ClassVar[Mapping[str, Callable[[object], object]]] = {"status": check_run_status}

    @classmethod
    def new(
        cls,
        *,
        session_id: str,
        id: str | None = None,  # noqa: A002  the field's name
        status: RunStatus | str = RunStatus.PENDING,
        input: Payload | None = None,  # noqa: A002  the field's name
        metadata: Payload | None = None,
        token_usage: Mapping[str, int] | None = None,
        started_at: datetime | None = None,
        provider: str | None = None,
        provider_metadata: Payload | None = None,
        cost_usd: Decimal | None = None,
    ) -> Self:
        """Return a new run, with defaults for all fields that are not given.

        Raises:
            ValidationError: a field has an invalid value.
        """
        return cls(
            id=new_id("run") if id is None else id,
            session_id=session_id,
            status=check_run_status(status),
            input=input,
            metadata={} if metadata is None else metadata,
            token_usage=TokenUsage(token_usage),
            started_at=utc_now() if started_at is None else started_at,
            provider=provider,
            provider_metadata={} if provider_metadata is None else provider_metadata,
            cost_usd=cost_usd,
        ).checked()

    def checked(self) -> Self:
        """Return an equal run with each field checked and normalised."""
        run = type(self)(
            id=check_name("id", self.id),
            session_id=check_name("session_id", self.session_id),
            status=check_run_status(self.status),
            input=check_optional_payload("input", self.input),
            output=check_optional_payload("output", self.output),
            error=check_optional_payload("error", self.error),
            metadata=check_payload("metadata", self.metadata),
            turn_count=check_natural("turn_count", self.turn_count),
            token_usage=TokenUsage.of(self.token_usage),
            started_at=check_time("started_at", self.started_at),
            ended_at=check_optional_time("ended_at", self.ended_at),
            provider=check_optional_name("provider", self.provider),
            provider_metadata=check_payload("provider_metadata", self.provider_metadata),
            cost_usd=check_optional_usd("cost_usd", self.cost_usd),
            revision=check_natural("revision", self.revision),
        )
        check_optional_name("The model of provider_metadata", run.model)
        return run

    @property
    def total_tokens(self) -> int:
        """The sum of input and output tokens."""
        return self.token_usage.total_tokens

    @property
    def model(self) -> str | None:
        """The model, from `provider_metadata`."""
        return self.provider_metadata.get("model")

    def with_status(self, status: RunStatus | str) -> Self:
        """Return the run with its next status: pending -> running -> completed | failed | cancelled | timeout.

        A final status sets `ended_at`.

        Raises:
            InvalidTransitionError: the transition is not allowed.
            InvalidStatusError: unknown status.
        """
        new = check_run_status(status)
        check_step(f"Run {self.id}", RUN_STEPS, self.status, new)
        ended_at = utc_now() if new in TERMINAL_RUN_STATUSES else self.ended_at
        return self._changed(status=new, ended_at=ended_at)

    def with_output(self, output: Payload) -> Self:
        """Return the run with this output."""
        return self._changed(output=check_payload("output", output))

    def with_error(self, error: Payload) -> Self:
        """Return the run with this error."""
        return self._changed(error=check_payload("error", error))

    def with_provider_metadata(self, metadata: Payload) -> Self:
        """Return the run with `metadata` merged into its `provider_metadata`, key by key."""
        told = check_payload("provider_metadata", metadata)
        return self._changed(provider_metadata={**self.provider_metadata, **told}).checked()

    def with_cost(self, cost_usd: Decimal) -> Self:
        """Return the run with this cost in US dollars."""
        return self._changed(cost_usd=check_optional_usd("cost_usd", cost_usd))

    def next_turn(self) -> Self:
        """Return the run with its turn count raised by one."""
        return self._changed(turn_count=self.turn_count + 1)

    def add_token_usage(self, usage: Mapping[str, int]) -> Self:
        """Return the run with the counts of `usage` added to its own, name by name.

        Raises:
            ValidationError: `usage` is no `TokenUsage`, or a sum is too large.
        """
        return self._changed(token_usage=self.token_usage + TokenUsage.of(usage))

    def with_token_usage(self, usage: Mapping[str, int]) -> Self:
        """Return the run with these token counts instead of its own.

        Raises:
            ValidationError: `usage` is no `TokenUsage`.
        """
        return self._changed(token_usage=TokenUsage.of(usage))

    def _changed(self, **fields: Any) -> Self:
        return msgspec.structs.replace(self, **fields)
