"""The port through which runs are executed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from asm_core.values.payloads import Payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core.models import EventType, Run, Session


class Emit(Protocol):
    """Hands over an event as it happens, to be stored; waits while the store cannot keep up.

    Raises:
        StorageError: events could not be stored; the provider should stop its work and let this through.
    """

    def __call__(self, type: EventType | str, data: Mapping[str, Any]) -> None:  # noqa: A002  the field's name
        """Hand over an event of this type and data."""


class ProviderResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run: its output, the tokens it used, and what else the provider tells (its ``model``)."""

    output: Payload
    token_usage: dict[str, int] = msgspec.field(default_factory=dict)
    provider_metadata: Payload = msgspec.field(default_factory=dict)


class Provider(ABC):
    """Executes runs: an agent, a model, a command of the operating system."""

    name: str
    """What runs and events name as their provider."""

    @abstractmethod
    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        """Execute `run`, hand over what happens, and return what came of it.

        Raises:
            ProviderError: it failed; `details` go into the run's `error`. With ``cancelled: True`` among them the run
                is recorded as cancelled.
        """

    @abstractmethod
    def cancel(self, run_id: str) -> None:
        """End the execution of a run, from another thread; `execute` then returns or raises soon.

        A run that this provider does not execute (any more) is a no-op.
        """
