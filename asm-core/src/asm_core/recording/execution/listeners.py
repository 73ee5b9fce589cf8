"""Callbacks for the events of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from asm_core.models import Event
from asm_core.recording.lifecycle.outcomes import failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.recording.lifecycle.outcomes import Outcome

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


class Listener:
    """The callback of a run's caller. If it raises, the run ends, and it is not called again.

    Attributes:
        error: what it raised.
    """

    def __init__(self, on_event: OnEvent | None, stop: Callable[[Outcome], None]) -> None:
        """Call `on_event`, and `stop` with the outcome of a run that its exception ends."""
        self.error: BaseException | None = None
        self._on_event = on_event
        self._stop = stop

    def __call__(self, events: Sequence[Event]) -> None:
        """Pass stored events to the callback."""
        if self._on_event is None or not events:
            return
        try:
            notify(self._on_event, events)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            self._on_event = None
            self.error = error
            self._stop(failed(error))
