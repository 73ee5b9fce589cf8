"""The port for the execution of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from asm_core.models import TokenUsage
from asm_core.values.payloads import Payload

if TYPE_CHECKING:
    from asm_core.models import EventType, Run, Session


class Emit(Protocol):
    """A function that stores an event while the run executes. It blocks while the store is slower than the provider.

    Raises:
        StorageError: events could not be stored. The provider should stop and let the error propagate.
    """

    def __call__(self, type: EventType | str, data: Mapping[str, Any]) -> None:  # noqa: A002  the name of the field
        """Emit an event with this type and data."""


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


class Provider(ABC):
    """Executes runs: an agent, a model, a command of the operating system."""

    name: str
    """The value of `provider` in runs and events."""

    @abstractmethod
    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        """Execute `run`, emit its events, and return its result.

        Raises:
            ProviderError: the run failed. The run's `error` gets the `details`. With ``cancelled: True`` in them, the
                run is recorded as cancelled.
        """

    @abstractmethod
    def cancel(self, run_id: str) -> None:
        """Cancel the execution of a run, from another thread. `execute` then returns or raises soon.

        If this provider does not execute the run, or no longer does, this is a no-op.
        """


class AsyncProvider(ABC):
    """Executes runs as tasks of an asyncio event loop.

    `asm_core.aio.SessionManager` runs them in its caller's event loop, `asm_core.SessionManager` in one for the run.
    """

    name: str
    """The value of `provider` in runs and events."""

    @abstractmethod
    async def execute(self, run: Run, session: Session, emit: AsyncEmit) -> ProviderResult:
        """Execute `run`, emit its events, and return its result.

        To cancel the run, its task is cancelled: `asyncio.CancelledError` is raised here.

        Raises:
            ProviderError: as in `Provider.execute`.
        """
