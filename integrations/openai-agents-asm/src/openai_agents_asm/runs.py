"""Runs of the framework as runs of the store, with their tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import msgspec

from asm_core import Run, RunStatus, TokenUsage

if TYPE_CHECKING:
    from agents import RunContextWrapper

_NONE: Final = (0, 0, 0, 0, 0)


class Runs:
    """The runs whose contexts a session got. A run counts what was used after its context was first seen."""

    def __init__(self, session_id: str, provider: str, model: str | None) -> None:
        """Describe runs in this session."""
        self._session_id = session_id
        self._provider = provider
        self._model = model
        self._runs: WeakKeyDictionary[Any, tuple[Run, tuple[int, ...]]] = WeakKeyDictionary()

    def seen(self, wrapper: RunContextWrapper[Any] | None) -> None:
        """Note the context of a run that has begun, with what was used before, such as by a run that it continues."""
        if wrapper is not None and wrapper not in self._runs:
            metadata = {} if self._model is None else {"model": self._model}
            run = Run.new(
                session_id=self._session_id,
                status=RunStatus.RUNNING,
                provider=self._provider,
                provider_metadata=metadata,
            )
            self._runs[wrapper] = (run, _counts(wrapper))

    def current(self, wrapper: RunContextWrapper[Any]) -> tuple[Run, bool]:
        """Return the run with the tokens so far, and whether it has changed since the last call.

        The framework does not report the end of a run to a session: a run is completed when its model has answered.
        """
        self.seen(wrapper)
        run, before = self._runs[wrapper]
        requests, read, cached, written, reasoning = (
            now - then for now, then in zip(_counts(wrapper), before, strict=True)
        )
        if requests == run.turn_count and read + written == run.total_tokens:
            return run, run.status is RunStatus.RUNNING
        usage = TokenUsage(
            input_tokens=read,
            cache_read_tokens=min(cached, read),
            output_tokens=written,
            reasoning_tokens=min(reasoning, written),
        )
        run = msgspec.structs.replace(
            run, status=RunStatus.COMPLETED, ended_at=datetime.now(UTC), turn_count=requests, token_usage=usage
        )
        self._runs[wrapper] = (run, before)
        return run, True


def _counts(wrapper: RunContextWrapper[Any]) -> tuple[int, ...]:
    usage = getattr(wrapper, "usage", None)
    if usage is None:
        return _NONE
    cached = getattr(usage.input_tokens_details, "cached_tokens", 0)
    reasoning = getattr(usage.output_tokens_details, "reasoning_tokens", 0)
    return usage.requests, usage.input_tokens, cached or 0, usage.output_tokens, reasoning or 0
