"""Spans of OpenTelemetry in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import asm_core as asm

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Spans:
    """Collects the spans of an application and of this project.

    Attributes:
        tracing: makes those of this project.
        application: the tracer of the application.
    """

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = asm.Tracing(provider)
        self.application = provider.get_tracer("application")

    @property
    def ended(self) -> list[ReadableSpan]:
        """Return the spans that have ended, in the order of their beginnings."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.ended]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span with this name."""
        (span,) = (span for span in self.ended if span.name == name)
        return span

    def attributes(self, name: str) -> dict[str, Any]:
        return dict(self.one(name).attributes or {})

    def parents(self) -> dict[str, str | None]:
        """Return the name of the span above each span, by its name."""
        names = {span.context.span_id: span.name for span in self.ended}
        return {span.name: names[span.parent.span_id] if span.parent else None for span in self.ended}

    def clear(self) -> None:
        self._exporter.clear()
