"""Running commands without a store."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from asm_core import ProviderError, ProviderResult, Run, Session
from asm_core.commands import CommandProvider, output_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ENOUGH = 30.0
"""Seconds after which something that ought to happen counts as not happening."""

Said = tuple[str, dict[str, Any]]


class Execution:
    """A command, executed to its end; what it said, and what came of it."""

    def __init__(
        self,
        *argv: str,
        provider: CommandProvider | None = None,
        on_line: Callable[[Execution, dict[str, Any]], None] = lambda *_: None,
        **more: Any,
    ) -> None:
        session = Session.new(agent_id="a")
        self.run = Run.new(session_id=session.id, input={"command": list(argv), **more})
        self.provider = provider or CommandProvider()
        self.said: list[Said] = []
        self.result: ProviderResult | None = None
        self.error: ProviderError | None = None
        self.cancellers: list[threading.Thread] = []
        self._on_line = on_line
        try:
            self.result = self.provider.execute(self.run, session, self._emit)
        except ProviderError as error:
            self.error = error
        for thread in self.cancellers:
            thread.join(ENOUGH)

    def cancel(self) -> None:
        """Cancel from another thread."""
        thread = threading.Thread(target=self.provider.cancel, args=(self.run.id,))
        self.cancellers.append(thread)
        thread.start()

    def _emit(self, type: str, data: Any) -> None:  # noqa: A002  the port's name
        self.said.append((str(type), data))
        if type == "message_streamed":
            self._on_line(self, data)

    @property
    def facts(self) -> dict[str, Any]:
        """The output of one that went well, or the details of the error."""
        return self.result.output if self.result else self.error.details if self.error else {}

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.said]

    def lines(self, stream: str = "stdout") -> list[dict[str, Any]]:
        return [data for kind, data in self.said if kind == "message_streamed" and data["stream"] == stream]

    def output(self, stream: str = "stdout") -> bytes:
        return joined(self.lines(stream))


def joined(items: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(map(output_bytes, items))
