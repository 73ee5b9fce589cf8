"""Providers around other providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.conversation.messages import input_messages
from asm_core.ports import Provider

if TYPE_CHECKING:
    from asm_core.models import Run, Session
    from asm_core.ports import Emit, ProviderResult
    from asm_core.values.payloads import Payload


class Wrapper(Provider):
    """A provider around another one.

    The other one may be any object with the methods of a provider: what it lacks has the default of the port.
    """

    def __init__(self, provider: Any) -> None:
        """Execute with `provider`."""
        self._provider = provider
        self.name = provider.name
        self.capabilities = getattr(provider, "capabilities", self.capabilities)
        self._messages_of = getattr(provider, "input_messages", input_messages)

    def input_messages(self, input: Payload | None) -> list[Payload]:  # noqa: A002  the name of the field
        """Return those of the wrapped provider."""
        messages: list[Payload] = self._messages_of(input)
        return messages

    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        """Execute the run with the wrapped provider."""
        result: ProviderResult = self._provider.execute(run, session, emit)
        return result

    def cancel(self, run_id: str) -> None:
        """Cancel the run with the wrapped provider."""
        self._provider.cancel(run_id)
