"""Callbacks for the events of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from asm_core.models import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

OnEvent = Callable[[Event], object]
"""Called with each event once it is stored, in order."""


@runtime_checkable
class OnEvents(Protocol):
    """An `OnEvent` that also accepts events together, which saves most of the cost."""

    def many(self, events: Sequence[Event]) -> None:
        """Accept events that were stored together."""


def notify(listener: OnEvent | OnEvents, events: Sequence[Event]) -> None:
    """Call a listener with stored events."""
    if isinstance(listener, OnEvents):
        listener.many(events)
    else:
        for event in events:
            listener(event)
