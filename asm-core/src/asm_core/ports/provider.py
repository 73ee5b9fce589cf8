"""The port for the execution of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from asm_core.conversation.messages import input_messages
from asm_core.models import TokenUsage
from asm_core.values.payloads import Payload

if TYPE_CHECKING:
    from asm_core.conversation import Transcript
    from asm_core.models import EventType, Run, Session


class ProviderCapability(StrEnum):
    """What a provider can do. Declared, never detected."""

    HISTORY = "history"
    """It gives the conversation so far to the model: it calls `Emit.transcript`."""
    STREAMING = "streaming"
    """It emits ``message_streamed`` while a message is made."""
    TOOLS = "tools"
    """It calls tools."""
    CONTINUATION = "continuation"
    """It keeps the conversation itself, so that ``continuation="auto"`` does not replay it."""


class ToolDecision(msgspec.Struct, frozen=True):
    """Whether a tool may be called.

    Attributes:
        allowed: whether it may.
        reason: why not, for the model.
    """

    allowed: bool
    reason: str | None = None


class Emit(Protocol):
    """A function that stores an event while the run executes. It blocks while the store is slower than the provider.

    Its methods give the provider what it needs of the session.

    Raises:
        StorageError: events could not be stored. The provider should stop and let the error propagate.
    """

    def __call__(self, type: EventType | str, data: Mapping[str, Any]) -> None:  # noqa: A002  the name of the field
        """Emit an event with this type and data."""

    def transcript(self) -> Transcript:
        """Return the conversation so far; its last messages are the input of the run.

        If the run is tried again, they are followed by what it has done, so that the provider can go on from there.
        Events that were emitted are stored first.
        """

    def approve_tool(self, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        """Return whether the policies of the manager allow this call. To be asked before each call of a tool.

        It blocks while the decision of a person is waited for.
        """


@runtime_checkable
class EmitMany(Protocol):
    """An `Emit` that also takes payloads together, at a tenth of the cost."""

    def many(self, type: EventType, items: list[Payload], size: int) -> None:  # noqa: A002  the name of the field
        """Emit an event of this type for each of `items`, of about `size` bytes together.

        The payloads are not checked: they must hold what JSON holds and nothing else, and never change again.
        """


class AsyncEmit(Protocol):
    """An `Emit` for asyncio. The await takes a moment while the store is slower than the provider.

    Raises:
        StorageError: events could not be stored. The provider should stop and let the error propagate.
    """

    async def __call__(self, type: EventType | str, data: Mapping[str, Any]) -> None:  # noqa: A002  the name of the field
        """Emit an event with this type and data."""

    async def transcript(self) -> Transcript:
        """Return the conversation so far; see `Emit.transcript`."""

    async def approve_tool(self, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        """Return whether the policies of the manager allow this call; see `Emit.approve_tool`."""


class ProviderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run.

    Attributes:
        output: its output.
        token_usage: the usage of the whole run: `TokenUsage`, or what `TokenUsage.from_provider` reads. Usage that was
            reported in events counts too, and need not be repeated.
        provider_metadata: metadata of the provider, such as ``model``.
        cost_usd: its cost, if the provider knows it.
    """

    output: Payload
    token_usage: Mapping[str, Any] = msgspec.field(default_factory=TokenUsage)
    provider_metadata: Payload = msgspec.field(default_factory=dict)
    cost_usd: Decimal | None = None


class AnyProvider(ABC):
    """What synchronous and asynchronous providers have in common."""

    name: str
    """The value of `provider` in runs and events."""

    capabilities: frozenset[ProviderCapability] = frozenset()
    """What it can do."""

    def input_messages(self, input: Payload | None) -> list[Payload]:  # noqa: A002  the name of the field
        """Return the data of the events ``message_sent`` that begin a run with this input.

        By default the list ``messages`` of the input, and its ``prompt`` as a message of the user. Another input is one
        message, as JSON text.
        """
        return input_messages(input)


class Provider(AnyProvider):
    """Executes runs: an agent, a model, a command of the operating system."""

    @abstractmethod
    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        """Execute `run`, emit its events, and return its result.

        The manager records the beginning and the end of the run; events of their types are ignored.

        Raises:
            ProviderError: the run failed. The run's `error` gets the `details`. With ``cancelled: True`` in them, the
                run is recorded as cancelled. A retryable error is tried again, if the manager has an option `retry`.
        """

    @abstractmethod
    def cancel(self, run_id: str) -> None:
        """Cancel the execution of a run, from another thread. `execute` then returns or raises soon.

        If this provider does not execute the run, or no longer does, this is a no-op.
        """


class AsyncProvider(AnyProvider):
    """Executes runs as tasks of an asyncio event loop.

    `asm_core.aio.SessionManager` runs them in its caller's event loop, `asm_core.SessionManager` in one for the run.
    """

    @abstractmethod
    async def execute(self, run: Run, session: Session, emit: AsyncEmit) -> ProviderResult:
        """Execute `run`, emit its events, and return its result.

        To cancel the run, its task is cancelled: `asyncio.CancelledError` is raised here.

        Raises:
            ProviderError: as in `Provider.execute`.
        """
