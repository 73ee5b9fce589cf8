"""The spans of one run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from asm_core.tracing.attributes import (
    CANCELLED,
    CONVERSATION,
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    of_answer,
    of_request,
    record_error,
    record_error_type,
)
from asm_core.tracing.current import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.trace import Span, Tracer

_STARTED: Final = "tool_call_started"
_ENDED: Final = ("tool_call_completed", "tool_call_failed")
_TOOL_ERROR: Final = "tool_error"
"""The type of an error of a tool whose exception is not known."""


class RunTrace:
    """The span of a run, and those of the models and tools that it calls. Safe to share between threads."""

    def __init__(self, tracer: Tracer, *, run_id: str, session_id: str, provider: str, agent: str) -> None:
        """Begin the span, below the span that is current here."""
        self._tracer = tracer
        self._shared = {PROVIDER: provider, CONVERSATION: session_id}
        about = {OPERATION: "invoke_agent", "gen_ai.agent.id": agent, "gen_ai.agent.name": agent, "asm.run.id": run_id}
        self._span = tracer.start_span(
            f"invoke_agent {agent}", kind=SpanKind.INTERNAL, attributes={**about, **self._shared}
        )
        self._context = trace.set_span_in_context(self._span)
        self._tools: dict[str, Span] = {}
        self._raised: dict[str, BaseException] = {}

    def enter(self) -> None:
        """Make the span current in this context, to its end: that of a thread of the run."""
        contexts.attach(self._context)
        current.set(self)

    def on_event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Begin or end the span of a tool, by an event of the run."""
        if kind != _STARTED and kind not in _ENDED:
            return
        call_id = str(data.get("tool_call_id"))
        if kind == _STARTED:
            self._begin_tool(call_id, str(data.get("tool_name")))
            return
        span = self._tools.pop(call_id, None)
        if span is None:  # it was denied
            return
        raised = self._raised.pop(call_id, None)
        if raised is not None:
            record_error(span, raised)
        elif kind != _ENDED[0]:
            record_error_type(span, _TOOL_ERROR)
        span.end()

    @contextmanager
    def in_tool(self, tool_call_id: str) -> Iterator[None]:
        """Make the span of a tool current."""
        span = self._tools.get(tool_call_id)
        if span is None:
            yield
            return
        try:
            with _current(span):
                yield
        except BaseException as error:
            self._raised[tool_call_id] = error
            raise

    @contextmanager
    def model_call(self, request: Mapping[str, Any], answer: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
        """Begin the span of a call of a model, make it current, and end it with what was answered."""
        about = {OPERATION: "chat", **self._shared, "gen_ai.request.stream": True, **of_request(request)}
        name = f"chat {about[REQUEST_MODEL]}" if REQUEST_MODEL in about else "chat"
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=about)
        try:
            with _current(span):
                yield
        except BaseException as error:
            record_error(span, error)
            raise
        finally:
            found = answer()
            span.set_attributes(of_answer(found))
            if found.get("error") is not None:
                record_error(span, found["error"])
            span.end()

    def end(self, status: str, *, error_type: str | None, cost_usd: float | None, **answer: Any) -> None:
        """End the span of the run, and those that are still open in it."""
        self._end_tools()
        self._span.set_attributes({"asm.run.status": status, **of_answer(answer)})
        if cost_usd is not None:
            self._span.set_attribute("asm.cost_usd", cost_usd)
        if error_type is not None:
            record_error_type(self._span, error_type)
        elif status == "cancelled":
            self._span.set_attribute(CANCELLED, value=True)
        self._span.end()

    def fail(self, error: BaseException) -> None:
        """End the span of a run whose end could not be stored; if it has ended, this is a no-op."""
        if self._span.is_recording():
            self._end_tools()
            record_error(self._span, error)
            self._span.end()

    def _begin_tool(self, call_id: str, name: str) -> None:
        about = {
            OPERATION: "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": call_id,
            "gen_ai.tool.type": "function",
            CONVERSATION: self._shared[CONVERSATION],
        }
        self._tools[call_id] = self._tracer.start_span(
            f"execute_tool {name}", context=self._context, kind=SpanKind.INTERNAL, attributes=about
        )

    def _end_tools(self) -> None:
        while self._tools:
            _, span = self._tools.popitem()
            span.set_attribute(CANCELLED, value=True)
            span.end()


def _current(span: Span) -> Any:
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)
