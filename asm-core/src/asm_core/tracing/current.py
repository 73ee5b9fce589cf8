"""The trace of the run that this code is part of."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from asm_core.tracing.run_trace import RunTrace

current: Final[ContextVar[RunTrace | None]] = ContextVar("asm_run_trace", default=None)
"""The trace of the run; None: it is not traced."""


def in_tool(tool_call_id: str) -> AbstractContextManager[object]:
    """Return a context in which a tool runs: spans that begin in it are below the span of this call.

    The provider emits ``tool_call_started`` before. An exception that leaves the context is the type of the error of
    the span. In a run that is not traced, the context does nothing.
    """
    run = current.get()
    return nullcontext() if run is None else run.in_tool(tool_call_id)


def model_call(
    request: Callable[[], Mapping[str, Any]], answer: Callable[[], Mapping[str, Any]]
) -> AbstractContextManager[object]:
    """Return a context in which a model answers once. In a run that is not traced, it does nothing.

    Args:
        request: returns the ``model``, the ``url`` of the server, and settings by the names of the vendors, such as
            ``temperature``.
        answer: called at the end; returns what is known of ``model``, ``response_id``, ``stop_reason``, ``usage`` in
            canonical counts, and ``error``.
    """
    run = current.get()
    return nullcontext() if run is None else run.model_call(request(), answer)
