"""The request to end a run before its provider returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asm_core.concurrency.latches import Latch

if TYPE_CHECKING:
    from asm_core.recording.lifecycle.outcomes import Outcome


class Stop:
    """How a run ends: the first outcome that any thread sets. Safe to use from threads and signal handlers.

    Attributes:
        woken: set when the run is to end, or has ended.
        interruption: the exception from a signal handler that ends the run.
    """

    def __init__(self) -> None:
        self.woken = Latch()
        self.interruption: BaseException | None = None
        # One entry that the first thread sets in one step.
        self._outcomes: dict[str, Outcome] = {}

    def request(self, outcome: Outcome) -> None:
        """End the run with this outcome; if it was stopped or has ended, this is a no-op."""
        self._outcomes.setdefault("end", outcome)
        self.woken.set()

    @property
    def has_outcome(self) -> bool:
        """Whether the outcome is set."""
        return bool(self._outcomes)

    @property
    def is_requested(self) -> bool:
        """Whether the run is to end."""
        return self.has_outcome or self.interruption is not None

    def settle(self, outcome: Outcome) -> Outcome:
        """Set the outcome of a run whose provider returned; return the one that was set first, with its result."""
        first = self._outcomes.setdefault("end", outcome)
        return outcome if first is outcome else msgspec.structs.replace(first, result=outcome.result)
